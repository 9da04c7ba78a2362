use resvg::tiny_skia::Pixmap;

use super::*;
use crate::html::chart::{Chart, Course, Line, Marks, Shade, figure};
use crate::html::page::{Page, Section};
use crate::html::palette::Ink;
use crate::record::Unit;

/// A page with a chart of lines, one of areas with a key, and names that are none.
fn page(name: &str) -> String {
    let values: Vec<Option<f64>> = (0..40).map(|i| Some(f64::from(i % 7))).collect();
    let line = |name: &str, n| Line::new(name, n, values.clone());
    let area = |name: &str, n| Line {
        ink: Ink::Area(n),
        ..line(name, 0)
    };
    let chart = |title: &str, marks| Chart {
        title: title.into(),
        about: format!("What of {name} is left, {}", "and so on ".repeat(20)),
        unit: Unit::PerSecond,
        at_least: 1.0,
        window_s: 1.0,
        marks,
    };
    let course = Course {
        until_s: 40.0,
        shades: vec![Shade {
            name: name.into(),
            spans: vec![[10.0, 20.0]],
        }],
    };
    let lines = chart(
        "Load",
        Marks::Lines(vec![line("offered", 0), line("good", 2)]),
    );
    let stack = chart("Failed", Marks::Stacked(vec![area("UF", 0), area(name, 1)]));
    let body = maud::html! {
        h3 { "What " (crate::html::text::name(name)) " saw" }
        div.charts { (figure("a", &lines, &course)) (figure("b", &stack, &course)) }
    };
    let page = Page {
        title: &format!("Held: {name}"),
        head: maud::html! { h1 { (crate::html::text::name(name)) } },
        sections: vec![Section::new("course", "Over time", body)],
        foot: maud::html! {},
    };
    page.html()
}

fn pictures(name: &str) -> Vec<Picture> {
    Pictures::default().of(&page(name), "").unwrap()
}

fn pixels(picture: &Picture) -> Pixmap {
    Pixmap::decode_png(&picture.png().unwrap()).unwrap()
}

/// How many colours a part of a picture has.
fn colors(map: &Pixmap, [x0, y0, x1, y1]: [u32; 4]) -> usize {
    let at = |x, y| map.pixel(x, y).map(|p| (p.red(), p.green(), p.blue()));
    let all = (y0..y1).flat_map(|y| (x0..x1).map(move |x| (x, y)));
    all.map(|(x, y)| at(x, y)).collect::<BTreeSet<_>>().len()
}

#[test]
fn every_figure_is_a_picture_of_twice_its_size() {
    let pictures = pictures("users");
    let names: Vec<&str> = pictures.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["users-load", "users-failed"]);
    assert_eq!(page("users").matches("<svg viewBox").count(), names.len());
    for picture in &pictures {
        let (map, size) = (pixels(picture), read(&picture.svg).unwrap().size());
        assert_eq!(size.width(), 16.0 + 560.0 + 16.0);
        assert_eq!(map.width(), 2 * size.width() as u32);
        assert_eq!(map.height(), 2 * size.height() as u32);
        assert!(map.height() > 2 * 232, "{}", map.height());
        let white = map.pixel(0, 0).unwrap();
        assert_eq!((white.red(), white.alpha()), (255, 255));
        assert!(colors(&map, [0, 0, map.width(), map.height()]) > 20);
    }
}

#[test]
fn text_is_drawn() {
    let map = pixels(&pictures("users")[0]);
    // The title begins at (16, 16), and nothing else is there.
    assert!(colors(&map, [32, 36, 100, 62]) > 4);
    assert_eq!(colors(&map, [0, 0, 32, 62]), 1, "the margin is empty");
}

#[test]
fn lines_have_the_colours_of_the_light_page() {
    let map = pixels(&pictures("users")[0]);
    let seen: BTreeSet<[u8; 3]> = map
        .pixels()
        .iter()
        .map(|p| [p.red(), p.green(), p.blue()])
        .collect();
    let style = cut::page(&page("users")).style.to_owned();
    for ink in ["--s0", "--s2"] {
        let (_, value) = style.split_once(&format!("{ink}: #")).unwrap();
        let byte = |at: usize| u8::from_str_radix(&value[at..at + 2], 16).unwrap();
        assert!(seen.contains(&[byte(0), byte(2), byte(4)]), "{ink}");
    }
}

#[test]
fn the_same_page_gives_the_same_bytes() {
    let png = |picture: &Picture| picture.png().unwrap();
    let (first, second) = (pictures("users"), pictures("users"));
    assert_eq!(png(&first[1]), png(&second[1]));
}

#[test]
fn hostile_names_stay_names() {
    let long = "x\u{202e}</text></svg><image href=\"file:///etc/passwd\"/>]]>&&#0;".repeat(200);
    let hostile = [
        "</svg><script>alert(1)</script>",
        "../../../etc/passwd\0",
        "var(--ink) {} /* @media",
        "שלום عالم",
        "合計 👩‍🚀",
        "",
        long.as_str(),
    ];
    let mut taken = BTreeSet::new();
    let mut pictures = Pictures::default();
    for name in hostile {
        for picture in pictures.of(&page(name), "").unwrap() {
            assert!(
                picture
                    .name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            );
            assert!(!picture.svg.contains("<image") && !picture.svg.contains("<script"));
            assert!(picture.svg.len() < 60_000, "{}", picture.svg.len());
            assert!(picture.png().unwrap().len() > 1_000);
            assert!(taken.insert(picture.name));
        }
    }
    assert_eq!(taken.len(), 2 * hostile.len());
}

#[test]
fn pictures_of_several_pages_say_of_which() {
    let mut pictures = Pictures::default();
    let mut names = |of: &str| {
        let all = pictures.of(&page("users"), of).unwrap();
        all.into_iter().map(|p| p.name).collect::<Vec<_>>()
    };
    assert_eq!(
        names("before"),
        ["before-users-load", "before-users-failed"]
    );
    assert_eq!(names("after"), ["after-users-load", "after-users-failed"]);
    assert_eq!(
        names("after"),
        ["after-users-load-2", "after-users-failed-2"]
    );
}
