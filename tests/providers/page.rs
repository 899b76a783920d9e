//! A minimal HTML parser for filling in forms.

/// A form of a page, with its initial values.
#[derive(Debug)]
pub(crate) struct Form {
    /// The target of the form, if it is not the page itself.
    pub(crate) action: Option<String>,
    /// Names and values, including those of buttons that accept.
    pub(crate) fields: Vec<(String, String)>,
}

impl Form {
    /// Returns the first form with method POST, with all its fields set by `fill`.
    pub(crate) fn filled(page: &str, fill: impl Fn(&str) -> Option<&'static str>) -> Option<Self> {
        let form = tags(page, "form").find(|(tag, _)| attribute(tag, "method").as_deref() == Some("post"));
        let (tag, rest) = form?;
        let inside = rest.split("</form>").next().unwrap_or_default();
        let field = |(tag, _): (&str, &str)| {
            let name = attribute(tag, "name")?;
            let value = fill(&name).map(str::to_owned).or_else(|| attribute(tag, "value"));
            Some((name, value.unwrap_or_default()))
        };
        Some(Self {
            action: attribute(tag, "action"),
            fields: tags(inside, "input").filter_map(field).collect(),
        })
    }
}

/// Returns the target of the first link whose URL ends with `end`.
pub(crate) fn link(page: &str, end: &str) -> Option<String> {
    tags(page, "a").filter_map(|(tag, _)| attribute(tag, "href")).find(|href| href.ends_with(end))
}

/// Returns the attributes of all tags with this name, each with the text after the tag.
fn tags<'a>(page: &'a str, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let open = format!("<{name} ");
    let starts: Vec<_> = page.match_indices(&open).map(|(start, _)| start + open.len()).collect();
    starts.into_iter().filter_map(|start| page[start..].split_once('>'))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) =
        format!(" {tag}").split_once(&format!(" {name}=\"")).map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&quot;", "\"").replace("&#39;", "'").replace("&#x27;", "'").replace("&amp;", "&"))
}
