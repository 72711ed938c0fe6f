//! The table of paths: those that stay go out byte for byte, the others do not go out at all.

use super::*;

#[test]
fn what_stays_is_joined_byte_for_byte() {
    let root = Base::parse("http://127.0.0.1:9999").unwrap();
    let app = Base::parse("http://127.0.0.1:9999/app/v1").unwrap();
    for (path, below_root, below_app) in [
        ("", "/", "/app/v1"),
        ("/", "/", "/app/v1/"),
        ("?q=1", "/?q=1", "/app/v1?q=1"),
        ("/?q", "/?q", "/app/v1/?q"),
        ("/message:send", "/message:send", "/app/v1/message:send"),
        ("/tasks/a%2Fb:cancel?x=%2e%2e", "/tasks/a%2Fb:cancel?x=%2e%2e", "/app/v1/tasks/a%2Fb:cancel?x=%2e%2e"),
        ("/a//b", "/a//b", "/app/v1/a//b"),
        ("/a/../b", "/a/../b", "/app/v1/a/../b"),
        ("/a/./b", "/a/./b", "/app/v1/a/./b"),
        ("/%E2%82%AC", "/%E2%82%AC", "/app/v1/%E2%82%AC"),
        ("/100%", "/100%", "/app/v1/100%"),
        ("/...", "/...", "/app/v1/..."),
        ("/..a/b..", "/..a/b..", "/app/v1/..a/b.."),
        ("/@evil.example", "/@evil.example", "/app/v1/@evil.example"),
        ("/:80/x", "/:80/x", "/app/v1/:80/x"),
        ("/http://evil.example/", "/http://evil.example/", "/app/v1/http://evil.example/"),
        ("?/../../x", "/?/../../x", "/app/v1?/../../x"),
    ] {
        for (base, expected) in [(&root, below_root), (&app, below_app)] {
            let uri = base.join(path).unwrap_or_else(|why| panic!("{path}: {why}"));
            assert_eq!(uri.path_and_query().unwrap().as_str(), expected, "{path}");
            assert_eq!(uri.authority().unwrap().as_str(), "127.0.0.1:9999");
        }
    }
}

#[test]
fn what_could_leave_the_base_does_not_go_out() {
    for base in ["http://127.0.0.1:9999", "http://127.0.0.1:9999/app/v1/"] {
        let base = Base::parse(base).unwrap();
        for path in [
            "/..",
            "/../",
            "/../secret",
            "/a/../../secret",
            "/a//../../secret",
            "/./../secret",
            "/.././secret",
            "/..?x",
            "/../#",
            "/%2e%2e/secret",
            "/%2E%2E/secret",
            "/.%2e/secret",
            "/%2e./secret",
            "/..%2fsecret",
            "/..%2Fsecret",
            "/a%2f..%2f..%2fsecret",
            "/a%2fb/../../secret",
            "/%252e%252e/secret",
            "/%25252e%25252e%25252fsecret",
            "/..%252fsecret",
            "/..;/secret",
            "/..;x=y/secret",
            "/%2e%2e;/secret",
            "/..%3b/secret",
            "/.. /secret",
            "/..%20/secret",
            "/..\\secret",
            "\\..\\secret",
            "/..%5csecret",
            "/a\\..\\..\\secret",
            "/%5c%5cevil.example/x",
            "//evil.example/x",
            "///evil.example/x",
            "/%2fevil.example/x",
            "/%2f%2fevil.example/x",
            "/\\evil.example/x",
            "/%c0%ae%c0%ae/secret",
            "/%e0%80%ae%e0%80%ae/secret",
            "/%c0%2e%c0%2e%c0%afsecret",
            "/%uff0e%uff0e/secret",
            "/%u002e%u002e%u2215secret",
            "/%EF%BC%8E%EF%BC%8E/secret",
            "/%E2%80%A5/secret",
            "/..%00/secret",
            "/a%00/../../secret",
            "/..%0d%0aHost:%20evil.example",
            "/a%2525252525252525252e",
        ] {
            assert!(base.join(path).is_err(), "{path} goes out as {:?}", base.join(path));
        }
    }
}

#[test]
fn what_cannot_stand_in_a_request_line_does_not_go_out() {
    let base = Base::parse("http://127.0.0.1:9999").unwrap();
    for path in ["a", "evil.example/x", "@evil.example/", ":80/", "/a b", "/a\r\nX: y", "/a#b", "/a?b#c", "/\u{7f}"] {
        assert!(base.join(path).is_err(), "{path:?} goes out");
    }
}

#[test]
fn only_plain_urls_are_bases() {
    for bad in [
        "",
        "9999",
        "127.0.0.1:9999",
        "localhost",
        "/",
        "ftp://x",
        "http://",
        "http:///x",
        "http://u:p@x",
        "http://x?q",
        "http://x#f",
        "http://x/../y",
        "http://x//y",
        "http://x:",
    ] {
        assert_eq!(Base::parse(bad), Err(BadBase), "{bad}");
    }
    for (good, shown) in [
        ("http://127.0.0.1:9999", "http://127.0.0.1:9999"),
        ("http://127.0.0.1:9999/", "http://127.0.0.1:9999"),
        ("https://x.example/app/", "https://x.example/app"),
        ("http://[::1]:80", "http://[::1]:80"),
    ] {
        assert_eq!(Base::parse(good).unwrap().to_string(), shown);
    }
}
