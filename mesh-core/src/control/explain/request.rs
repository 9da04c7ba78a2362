//! The request to explain, as a person writes it.

use std::fmt;

use http::header::{HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri};
use serde::{Serialize, Serializer};

use crate::route::RequestView;

/// Where HTTP is spoken unless a URL says otherwise.
const HTTP: u16 = 80;

/// A request. Made by [`ExplainRequest::parse`].
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainRequest {
    method: Method,
    uri: Uri,
    port: u16,
    headers: HeaderMap,
}

/// What is wrong with a request that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainRequestError(String);

impl fmt::Display for ExplainRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ExplainRequestError {}

fn error(what: impl Into<String>) -> ExplainRequestError {
    ExplainRequestError(what.into())
}

impl ExplainRequest {
    /// Reads `GET http://reviews:9080/reviews/1` (the method may be left out) and headers `name: value`.
    ///
    /// # Errors
    /// When the method, the URL or a header is not one. The URL must name a host; its port, or 80, is the port
    /// dialled.
    pub fn parse(line: &str, headers: &[impl AsRef<str>]) -> Result<Self, ExplainRequestError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (method, url) = match words.as_slice() {
            [url] => ("GET", *url),
            [method, url] => (*method, *url),
            _ => {
                return Err(error(format!(
                    "`{line}` is not a method and a URL, like `GET http://reviews:9080/`"
                )));
            }
        };
        let method =
            Method::try_from(method).map_err(|_| error(format!("`{method}` is not a method")))?;
        match url.split_once("://") {
            Some(("http", _)) => {}
            Some(("https", _)) => {
                return Err(error(format!(
                    "`{url}`: apps speak plain http://; the sidecars add mutual TLS"
                )));
            }
            _ => return Err(error(format!("`{url}` must begin with http://"))),
        }
        let uri: Uri = url
            .parse()
            .map_err(|why| error(format!("`{url}` is not a URL: {why}")))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| error(format!("`{url}` names no host")))?;
        let written = uri.port_u16();
        let authority = match written {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let clean = Uri::builder()
            .scheme("http")
            .authority(authority)
            .path_and_query(path);
        Ok(Self {
            port: written.unwrap_or(HTTP),
            uri: clean
                .build()
                .map_err(|why| error(format!("`{url}` is not a URL: {why}")))?,
            headers: parse_headers(headers)?,
            method,
        })
    }

    /// The host, where the URL leaves the port to be found.
    pub fn host_without_port(&self) -> Option<&str> {
        self.uri.port().is_none().then(|| self.uri.host())?
    }

    /// The same, dialled on `port`.
    #[must_use]
    pub fn on_port(self, port: u16) -> Self {
        let mut parts = self.uri.clone().into_parts();
        let authority = format!("{}:{port}", self.uri.host().unwrap_or_default());
        parts.authority = authority.parse().ok();
        match Uri::from_parts(parts) {
            Ok(uri) => Self { uri, port, ..self },
            Err(_) => self,
        }
    }

    /// The port dialled.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The request as HTTP has it. A `Host` header stands in for the URL's authority.
    pub(super) fn parts(&self) -> Parts {
        let mut parts = Request::new(()).into_parts().0;
        parts.method = self.method.clone();
        parts.headers = self.headers.clone();
        parts.uri = self.uri.clone();
        let host = parts.headers.remove(HOST);
        let authority = host.and_then(|host| http::uri::Authority::try_from(host.as_bytes()).ok());
        if let Some(authority) = authority {
            let mut uri = std::mem::take(&mut parts.uri).into_parts();
            uri.authority = Some(authority);
            // Only an authority was exchanged for an authority, so the parts still fit together.
            parts.uri = Uri::from_parts(uri).unwrap_or_default();
        }
        parts
    }
}

fn parse_headers(headers: &[impl AsRef<str>]) -> Result<HeaderMap, ExplainRequestError> {
    let mut map = HeaderMap::new();
    for header in headers {
        let header = header.as_ref();
        let wrong = || {
            error(format!(
                "`{header}` is not a header, like `end-user: jason`"
            ))
        };
        let (name, value) = header.split_once(':').ok_or_else(wrong)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| wrong())?;
        let value = HeaderValue::try_from(value.trim()).map_err(|_| wrong())?;
        map.append(name, value);
    }
    Ok(map)
}

/// The parts of the request that `view` looks at.
pub(super) fn parts_of(view: &RequestView<'_>) -> Parts {
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::try_from(view.method).unwrap_or_default();
    parts.headers = view.headers.clone();
    let uri = Uri::builder().scheme(view.scheme).authority(view.authority);
    parts.uri = uri.path_and_query(view.path).build().unwrap_or_default();
    parts
}

impl fmt::Display for ExplainRequest {
    /// `GET http://reviews:9080/`, and one line for each header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri)?;
        for (name, value) in &self.headers {
            write!(
                f,
                "\n  {name}: {}",
                String::from_utf8_lossy(value.as_bytes())
            )?;
        }
        Ok(())
    }
}

impl Serialize for ExplainRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            method: &'a str,
            url: String,
            port: u16,
            headers: Vec<(&'a str, String)>,
        }
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| {
            (
                name.as_str(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        });
        let shape = Shape {
            method: self.method.as_str(),
            url: self.uri.to_string(),
            port: self.port,
            headers: headers.collect(),
        };
        shape.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<ExplainRequest, ExplainRequestError> {
        ExplainRequest::parse(line, &[] as &[&str])
    }

    #[test]
    fn the_port_is_the_urls_or_may_be_found() {
        let written = parse("GET http://reviews:9080/reviews/1").unwrap();
        assert_eq!((written.port(), written.host_without_port()), (9080, None));
        let open = parse("http://reviews/x?y").unwrap();
        assert_eq!(
            (open.port(), open.host_without_port()),
            (80, Some("reviews"))
        );
        let found = open.on_port(9080);
        assert_eq!(found.port(), 9080);
        assert_eq!(found.to_string(), "GET http://reviews:9080/x?y");
    }

    #[test]
    fn what_is_written_is_what_is_shown() {
        let request = ExplainRequest::parse("POST http://u@a:1/p?q", &["X-A:  b ", "c:"]).unwrap();
        assert_eq!(request.to_string(), "POST http://a:1/p?q\n  x-a: b\n  c: ");
    }

    #[test]
    fn mistakes_are_named() {
        for (line, complaint) in [
            (
                "",
                "`` is not a method and a URL, like `GET http://reviews:9080/`",
            ),
            ("reviews:9080/x", "`reviews:9080/x` must begin with http://"),
            (
                "GET http://a b/",
                "`GET http://a b/` is not a method and a URL, like `GET http://reviews:9080/`",
            ),
            (
                "http://a\u{7f}/",
                "`http://a\u{7f}/` is not a URL: invalid uri character",
            ),
            ("/x", "`/x` must begin with http://"),
            ("ftp://a/", "`ftp://a/` must begin with http://"),
            (
                "https://a/",
                "`https://a/`: apps speak plain http://; the sidecars add mutual TLS",
            ),
            ("G(T http://a/", "`G(T` is not a method"),
        ] {
            let got = parse(line).map_err(|error| error.to_string());
            assert_eq!(got, Err(complaint.to_owned()));
        }
        let wrong = ExplainRequest::parse("http://a", &["nonsense"]).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "`nonsense` is not a header, like `end-user: jason`"
        );
    }

    #[test]
    fn a_host_header_stands_in_for_the_authority() {
        let request = ExplainRequest::parse("http://10.0.0.1:80/", &["Host: shop.test"]).unwrap();
        let parts = request.parts();
        let view = RequestView::of(&parts, request.port(), None);
        assert_eq!((view.authority, view.port), ("shop.test", 80));
        assert!(view.headers.is_empty());
    }
}
