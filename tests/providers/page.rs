//! Just enough of HTML to fill in a form.

/// A form of a page, with the values it comes with.
#[derive(Debug)]
pub(crate) struct Form {
    /// Where it is sent, if not to the page itself.
    pub(crate) action: Option<String>,
    /// Names and values, those of the buttons that say yes included.
    pub(crate) fields: Vec<(String, String)>,
}

impl Form {
    /// The first form that is posted, all of its fields filled in by `fill`.
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

/// Where the link leads whose address ends so.
pub(crate) fn link(page: &str, end: &str) -> Option<String> {
    tags(page, "a").filter_map(|(tag, _)| attribute(tag, "href")).find(|href| href.ends_with(end))
}

/// The insides of all tags of that name, each with what follows it.
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
