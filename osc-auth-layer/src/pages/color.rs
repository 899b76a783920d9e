//! Colours, and the choice of readable colours for text and links (WCAG 2.2, success criterion 1.4.3).

use std::fmt;

/// The contrast that text needs.
const READABLE: f64 = 4.5;
/// The steps in which a colour is mixed with black or white until it can be read.
const STEPS: u8 = 20;

/// An opaque colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Color([u8; 3]);

impl Color {
    const BLACK: Self = Self([0; 3]);
    const WHITE: Self = Self([255; 3]);
    /// The ground of a page's text in the light colour scheme of `page.css`.
    const LIGHT_CARD: Self = Self::WHITE;
    /// The same in the dark scheme.
    const DARK_CARD: Self = Self([0x18, 0x1c, 0x24]);

    /// Parses `#rgb` or `#rrggbb`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?.bytes().map(|byte| char::from(byte).to_digit(16));
        let digits: Vec<_> = digits.collect::<Option<_>>()?;
        let part = |high: u32, low: u32| u8::try_from(high * 16 + low).ok();
        match *digits {
            [r, g, b] => Some(Self([part(r, r)?, part(g, g)?, part(b, b)?])),
            [r, r2, g, g2, b, b2] => Some(Self([part(r, r2)?, part(g, g2)?, part(b, b2)?])),
            _ => None,
        }
    }

    /// Returns the rules of CSS that make this the colour of buttons and links, readable in both colour schemes.
    pub(super) fn style(self) -> String {
        let (light, dark) = (self.readable_on(Self::LIGHT_CARD), self.readable_on(Self::DARK_CARD));
        format!(
            ":root {{ --button: {self}; --on-button: {}; --accent: {light}; }}\n\
             @media (prefers-color-scheme: dark) {{ :root {{ --accent: {dark}; }} }}\n",
            self.text()
        )
    }

    /// Returns black or white, whichever can be read better on this colour. The contrast is 4.58 at least.
    fn text(self) -> Self {
        let contrast = |text| self.contrast(text);
        if contrast(Self::BLACK) > contrast(Self::WHITE) { Self::BLACK } else { Self::WHITE }
    }

    /// Returns this colour, darker or lighter if it could not be read on `ground` otherwise.
    fn readable_on(self, ground: Self) -> Self {
        let mixtures = (0..=STEPS).map(|step| self.mixed(ground.text(), step));
        let mut readable = mixtures.filter(|mixture| mixture.contrast(ground) >= READABLE);
        readable.next().unwrap_or(ground.text())
    }

    /// Replaces `step` of [`STEPS`] parts of this colour by `other`.
    fn mixed(self, other: Self, step: u8) -> Self {
        let (own, foreign) = (u32::from(STEPS - step), u32::from(step));
        let mixed =
            |at: usize| (u32::from(self.0[at]) * own + u32::from(other.0[at]) * foreign) / u32::from(STEPS);
        Self([0, 1, 2].map(|at| u8::try_from(mixed(at)).unwrap_or(u8::MAX)))
    }

    /// Returns the contrast ratio, from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (own, other) = (self.luminance() + 0.05, other.luminance() + 0.05);
        own.max(other) / own.min(other)
    }

    /// Returns the relative luminance, from 0 to 1.
    fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(text: &str) -> Color {
        Color::parse(text).unwrap()
    }

    #[test]
    fn hex_colours_are_read_and_nothing_else() {
        assert_eq!(color("#0b6a62"), Color([0x0b, 0x6a, 0x62]));
        assert_eq!(color("#FA3"), color("#ffaa33"));
        for text in [
            "",
            "#",
            "0b6a62",
            "#0b6a6",
            "#0b6a62ff",
            "#ggg",
            "teal",
            "rgb(1,2,3)",
            "#+1+2+3",
            "#fff;",
            "#åå",
        ] {
            assert_eq!(Color::parse(text), None, "{text}");
        }
    }

    #[test]
    fn contrasts_are_those_of_wcag() {
        let contrast = |one, other| (color(one).contrast(color(other)) * 100.0).round() / 100.0;
        assert_eq!(contrast("#000", "#fff"), 21.0);
        assert_eq!(contrast("#777777", "#ffffff"), 4.48);
        assert_eq!(contrast("#0000ff", "#ffffff"), 8.59);
        assert_eq!(contrast("#ff0000", "#ffffff"), 4.0);
    }

    #[test]
    fn every_colour_gives_readable_buttons_and_links() {
        let levels = [0, 1, 40, 80, 117, 118, 119, 128, 160, 200, 240, 254, 255];
        for (r, g, b) in
            levels.iter().flat_map(|r| levels.iter().flat_map(move |g| levels.map(|b| (*r, *g, b))))
        {
            let color = Color([r, g, b]);
            assert!(color.contrast(color.text()) >= READABLE, "{color}");
            for card in [Color::LIGHT_CARD, Color::DARK_CARD] {
                let link = color.readable_on(card);
                assert!(link.contrast(card) >= READABLE, "{color} on {card}: {link}");
                assert!(
                    color.contrast(card) < READABLE || link == color,
                    "{color} needs no change on {card}"
                );
            }
        }
    }
}
