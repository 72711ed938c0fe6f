//! Our Markdown as HTML: headings can be linked to, tables scroll by themselves, links between documents lead to pages.

use std::collections::HashMap;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// HTML of a document. `folder` is where it lies, such as `runbooks/`, so that relative links find their way.
/// HTML inside of the Markdown is shown as text.
pub(super) fn to_html(markdown: &str, folder: &str) -> String {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut events: Vec<Event<'_>> = parser
        .map(|event| match event {
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            other => other,
        })
        .collect();
    name_headings(&mut events);
    let mut out = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut out, events.into_iter().flat_map(|event| arrange(event, folder)));
    out
}

/// The first heading of a document, as text.
pub(super) fn title(markdown: &str) -> &str {
    markdown.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or("Document").trim()
}

/// A heading's anchor: lower case, words joined by dashes.
pub(super) fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() || c == '_' {
            out.push(c);
        } else if matches!(c, ' ' | '-') && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_matches('-').to_owned()
}

/// Gives each heading its anchor; a repeated one gets a number.
fn name_headings(events: &mut [Event<'_>]) {
    let mut used: HashMap<String, usize> = HashMap::new();
    for start in 0..events.len() {
        if !matches!(events[start], Event::Start(Tag::Heading { .. })) {
            continue;
        }
        let text: String = events[start + 1..]
            .iter()
            .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        let mut anchor = slug(&text);
        let times = used.entry(anchor.clone()).and_modify(|times| *times += 1).or_insert(0);
        if *times > 0 {
            anchor = format!("{anchor}-{times}");
        }
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
            *id = Some(anchor.into());
        }
    }
}

fn arrange<'a>(event: Event<'a>, folder: &str) -> Vec<Event<'a>> {
    match event {
        Event::Start(Tag::Table(columns)) => vec![
            Event::Html("<div class=\"scroll\" role=\"region\" aria-label=\"Table\" tabindex=\"0\">".into()),
            Event::Start(Tag::Table(columns)),
        ],
        Event::End(TagEnd::Table) => vec![Event::End(TagEnd::Table), Event::Html("</div>".into())],
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            vec![Event::Start(Tag::Link { link_type, dest_url: target(dest_url, folder), title, id })]
        }
        other => vec![other],
    }
}

/// A relative link to a document, as the address of its page; anything else stays.
fn target<'a>(link: CowStr<'a>, folder: &str) -> CowStr<'a> {
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, format!("#{anchor}")),
        None => (link.as_ref(), String::new()),
    };
    if path.contains("://") || path.starts_with('/') || path.is_empty() {
        return link;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." | "" => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match joined.strip_suffix(".md") {
        Some(page) => format!("/docs/{page}{anchor}").into(),
        None if joined.starts_with("examples/") => format!("/{joined}{anchor}").into(),
        None => link,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_anchors_and_repeated_ones_a_number() {
        let html = to_html("# One `two`\n\n## Three\n\n## Three\n", "");
        assert!(html.contains("<h1 id=\"one-two\">"), "{html}");
        assert!(html.contains("<h2 id=\"three\">") && html.contains("<h2 id=\"three-1\">"), "{html}");
    }

    #[test]
    fn links_between_documents_lead_to_pages() {
        let link = |to: &str, folder: &str| {
            let html = to_html(&format!("[x]({to})"), folder);
            html.split('"').nth(1).unwrap().to_owned()
        };
        assert_eq!(link("HTTP_API.md#calls", ""), "/docs/HTTP_API#calls");
        assert_eq!(link("../OPERATIONS.md", "runbooks/"), "/docs/OPERATIONS");
        assert_eq!(link("nat-demo.md", "runbooks/"), "/docs/runbooks/nat-demo");
        assert_eq!(link("examples/minimal_agent.py", ""), "/examples/minimal_agent.py");
        assert_eq!(link("https://example.org/a.md", ""), "https://example.org/a.md");
        assert_eq!(link("#codes", ""), "#codes");
    }

    #[test]
    fn html_in_a_document_is_text() {
        let html = to_html("a <script>alert(1)</script> b\n\n<div>c</div>\n", "");
        assert!(!html.contains("<script") && !html.contains("<div"), "{html}");
    }
}
