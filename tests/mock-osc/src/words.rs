//! Sums an answer up in one line, for error messages.

use serde_json::Value;

/// Longer answers are cut here. The line has to fit a terminal, with the step that failed in front.
const LONGEST: usize = 300;

/// Returns the error that a JSON object names, the visible text of an HTML page, or else the text itself.
pub(crate) fn words(body: &str) -> String {
    let named = serde_json::from_str::<Value>(body).ok().and_then(|json| named(&json));
    let is_page = || body.trim_start().starts_with('<');
    let text = named.unwrap_or_else(|| if is_page() { visible(body) } else { body.to_owned() });
    let mut line = one_line(&text);
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    if line.is_empty() { "an empty body".to_owned() } else { line }
}

/// Replaces line breaks and other white space by single spaces, and drops other control characters.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).collect()
}

fn named(json: &Value) -> Option<String> {
    let fields = ["error", "error_description", "description", "message", "reason"];
    let texts: Vec<_> = fields.iter().filter_map(|field| json.get(field)?.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join(": "))
}

/// Returns the text between the tags of a page's body, from its heading on if it has one.
fn visible(page: &str) -> String {
    let body = ["<h1", "<body"].iter().find_map(|tag| page.find(tag)).map_or(page, |at| &page[at..]);
    let (mut text, mut rest) = (String::new(), body);
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let hidden = ["style", "script"].into_iter().find(|name| tag.starts_with(name));
        let end = hidden.and_then(|name| tag.find(&format!("</{name}"))).unwrap_or_default();
        rest = tag[end..].split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text, |text, (entity, c)| text.replace(entity, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_one_line() {
        let page = "<!doctype html>\n<html><head><title>t</title></head>\n<body><nav>Home</nav><style>a > b {}</style>\n\
                    <h1>No &amp;\n entry</h1><style>a > b {}</style><p>You are <b>not</b> allowed</p><script>1 < 2</script></body></html>";
        let cases = [
            (r#"{"error":"not_allowed","error_description":"Ask\nsomebody"}"#, "not_allowed: Ask somebody"),
            (r#"{"reason":"no"}"#, "no"),
            (r#"{"other":1}"#, r#"{"other":1}"#),
            (page, "No & entry You are not allowed"),
            ("<", ""),
            ("a\n\tb\u{7}", "a b"),
            ("  ", "an empty body"),
        ];
        for (body, line) in cases {
            let expected = if line.is_empty() { "an empty body" } else { line };
            assert_eq!(words(body), expected, "{body}");
        }
        assert_eq!(words(&"ä".repeat(9000)).chars().count(), LONGEST + 1);
    }
}
