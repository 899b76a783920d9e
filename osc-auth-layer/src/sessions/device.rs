//! The browser and system that a `User-Agent` header names (RFC 9110 §10.1.5). The text of the header goes nowhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The part of a header that is looked at.
const LONGEST: usize = 512;

/// Marks of browsers. The first row whose mark is in the header counts, because many browsers also name their ancestors.
const BROWSERS: [(&str, &str); 10] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 8] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("X11", "Unix"),
];

/// A browser and a system, as far as they are known. Small, because every session has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[String; 2]", into = "[&'static str; 2]")]
pub(crate) struct Device {
    /// Counts from 1. 0 is unknown.
    browser: u8,
    system: u8,
}

impl Device {
    pub(crate) fn of(user_agent: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&user_agent[..user_agent.len().min(LONGEST)]);
        let find = |rows: &[(&str, &str)]| {
            let row = rows.iter().find(|(mark, _)| text.contains(mark));
            row.map_or_else(String::new, |(_, name)| (*name).to_owned())
        };
        Self::from([find(&BROWSERS), find(&SYSTEMS)])
    }
}

/// Returns the place of the first row with this name, counted from 1, or 0.
fn place(rows: &[(&str, &str)], name: &str) -> u8 {
    let place = rows.iter().position(|(_, other)| *other == name);
    place.and_then(|at| u8::try_from(at + 1).ok()).unwrap_or_default()
}

fn name(rows: &[(&str, &'static str)], at: u8) -> &'static str {
    usize::from(at).checked_sub(1).and_then(|at| rows.get(at)).map_or("", |(_, name)| name)
}

impl From<Device> for [&'static str; 2] {
    fn from(Device { browser, system }: Device) -> Self {
        [name(&BROWSERS, browser), name(&SYSTEMS, system)]
    }
}

/// A name that only a newer version knows becomes unknown.
impl From<[String; 2]> for Device {
    fn from([browser, system]: [String; 2]) -> Self {
        Self { browser: place(&BROWSERS, &browser), system: place(&SYSTEMS, &system) }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match <[&str; 2]>::from(*self) {
            ["", ""] => f.write_str("Unknown device"),
            [browser, ""] => f.write_str(browser),
            ["", system] => write!(f, "Unknown browser on {system}"),
            [browser, system] => write!(f, "{browser} on {system}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_browsers_are_named() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (user_agent, label) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/150.0.0.0 Safari/537.36"),
                "Chrome on Windows",
            ),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/150.0.0.0 Safari/537.36 Edg/150.0"),
                "Edge on Windows",
            ),
            (
                &format!("Mozilla/5.0 (Linux; Android 10; K) {webkit} Chrome/150.0.0.0 Mobile Safari/537.36"),
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                &format!("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {webkit} Chrome/150.0.0.0 Safari/537.36"),
                "Chrome on ChromeOS",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64)", "Unknown browser on Linux"),
            ("Firefox/1", "Firefox"),
            ("curl/8.14.1", "Unknown device"),
            ("", "Unknown device"),
        ] {
            assert_eq!(Device::of(user_agent.as_bytes()).to_string(), label, "{user_agent}");
        }
    }

    #[test]
    fn a_label_contains_nothing_of_the_header_and_looks_at_little_of_it() {
        let controls = [&[0x1b; 8192][..], b"Firefox/1 \xff"].concat();
        assert_eq!(Device::of(&controls).to_string(), "Unknown device");
        assert_eq!(Device::of(b"Firefox/<script>\r\n\x00\xff").to_string(), "Firefox");
    }

    #[test]
    fn a_device_survives_as_text_and_a_newer_name_is_unknown() {
        let device = Device::of(b"Linux Firefox/1");
        let text = serde_json::to_string(&device).unwrap();
        assert_eq!(text, r#"["Firefox","Linux"]"#);
        assert_eq!(serde_json::from_str::<Device>(&text).unwrap(), device);
        let newer: Device = serde_json::from_str(r#"["Ladybird","Linux"]"#).unwrap();
        assert_eq!(newer.to_string(), "Unknown browser on Linux");
    }
}
