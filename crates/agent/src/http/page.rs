//! The page that people look at. It is fed by the interface alone, and has nothing from elsewhere.

use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Name;
use super::problem::Refusal;

/// The page may load and run what this agent serves, and nothing else; nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! files {
    ($($name:literal,)+) => {
        /// All files of the page.
        const FILES: &[File] = &[
            $(File { name: $name, text: include_str!(concat!("../../page/", $name)) },)+
        ];
    };
}

struct File {
    name: &'static str,
    text: &'static str,
}

files! {
    "address.js",
    "announce.js",
    "app.js",
    "charts.js",
    "decisions.js",
    "detail.js",
    "dom.js",
    "feed.js",
    "filters.js",
    "header.js",
    "icon.svg",
    "index.html",
    "map.js",
    "order.js",
    "places.js",
    "samples.js",
    "shapes.js",
    "store.js",
    "style.css",
    "table.js",
    "text.js",
    "theme.js",
    "timeline.js",
}

/// `GET /`
pub(super) fn index() -> Response {
    let file = FILES.iter().find(|file| file.name == "index.html");
    answer(file.expect("it is one of them"))
}

/// `GET /page/{name}`
pub(super) fn file(name: Name) -> Result<Response, Refusal> {
    let file = name.ok().and_then(|Path(name)| FILES.iter().find(|file| file.name == name));
    let file = file.ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, "the page has no such file; load it anew")
    })?;
    Ok(answer(file))
}

fn answer(file: &File) -> Response {
    let kind = match file.name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        Some(_) | None => "text/plain; charset=utf-8",
    };
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, file.text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_of_the_page_are_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        let entries = std::fs::read_dir(folder).unwrap();
        let mut there: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort_unstable();
        let mut served: Vec<_> = FILES.iter().map(|file| file.name).collect();
        served.sort_unstable();
        assert_eq!(there, served);
    }
}
