//! Maps of states over two settings, and the border of the stable region.

use maud::{Markup, html};

use super::border::{self, Column, Side};
use super::points::{Axis, Point, Points, State};
use super::{class, key};
use crate::html::chart::{self, Curve, Mark, Plot, Scale};
use crate::html::text;
use crate::record::Unit;
use crate::summary::unit;

/// Values of a setting in a map, across and upwards.
const VALUES_MAX: usize = 40;
/// Maps.
const MAPS_MAX: usize = 24;
/// Borders in one plot.
const BORDERS_MAX: usize = 6;

/// One map: its points by place, and what else was set there.
struct Map {
    title: String,
    /// The values of all settings; those of the map's own two are ignored.
    others: Vec<usize>,
}

pub(super) fn body(points: &Points) -> Markup {
    let varied = points.varied();
    if points.all.is_empty() {
        return html! {};
    }
    html! {
        (key(points))
        @match varied.as_slice() {
            [] => {}
            [only] => { (strip(points, *only)) }
            [x, y, rest @ ..] => { (maps(points, (*x, *y), rest)) }
        }
    }
}

/// One cell: sign, word, how many seeds held, and the share that succeeded.
fn cell(points: &Points, point: Option<&Point>, edges: &str) -> Markup {
    let Some(point) = point else {
        return html! { td class=(format!("unknown{edges}")) { span.v { "not run" } } };
    };
    let state = point.state();
    let success = points.measures.iter().position(|m| m.unit == Unit::Ratio);
    let success = success.and_then(|at| point.sums.get(at)?.mean());
    html! {
        td class=(format!("{}{edges}", class(state))) {
            span.s { (state.sign()) " " (state.word()) }
            span.v { (point.held) " of " (point.seeds) " held" }
            @if let Some(share) = success { span.v { (unit::share(share)) } }
        }
    }
}

/// With one setting, a map of one row.
fn strip(points: &Points, only: usize) -> Markup {
    let axis = &points.axes[only];
    let (order, names) = (axis.ascending(), axis.labels());
    let at = |value: usize| {
        let found = points.all.iter().find(|(at, _)| at[only] == value);
        found.map(|(_, point)| point)
    };
    let stable = |point: Option<&Point>| point.map(Point::state) == Some(State::Stable);
    html! {
        div.scroll tabindex="0" role="group" aria-label=(text::plain(axis.name())) {
            table.map {
                caption { "Across: " (text::name(axis.name())) ". In each cell how many seeds held, and the share of requests that succeeded. " (one_state(points).unwrap_or("A thick line is where it stops being stable.")) }
                thead { tr { @for value in order.iter().take(VALUES_MAX) { th scope="col" { (text::name(&names[*value])) } } } }
                tbody { tr {
                    @for (i, value) in order.iter().take(VALUES_MAX).enumerate() {
                        @let next = order.get(i + 1).map(|next| stable(at(*next)));
                        @let border = next.is_some_and(|next| next != stable(at(*value)));
                        (cell(points, at(*value), if border { " edge-r" } else { "" }))
                    }
                } }
            }
        }
    }
}

fn maps(points: &Points, (x, y): (usize, usize), rest: &[usize]) -> Markup {
    let mut maps: Vec<Map> = Vec::new();
    for at in points.all.keys() {
        let same = |map: &Map| rest.iter().all(|i| map.others[*i] == at[*i]);
        if maps.iter().any(same) {
            continue;
        }
        let words: Vec<String> = rest
            .iter()
            .map(|i| {
                format!(
                    "{} = {}",
                    points.axes[*i].name(),
                    points.axes[*i].values[at[*i]]
                )
            })
            .collect();
        maps.push(Map {
            title: words.join(", "),
            others: at.clone(),
        });
    }
    let more = maps.len().saturating_sub(MAPS_MAX) as u64;
    let (across, up) = (&points.axes[x], &points.axes[y]);
    html! {
        p.faint {
            "Across: " (text::name(across.name())) ". Upwards: " (text::name(up.name())) ". In each cell how many seeds held, and the share of requests that succeeded."
            @if one_state(points).is_none() { " The thick line is the border of what is stable." }
        }
        div.maps { @for map in maps.iter().take(MAPS_MAX) { (table(points, (x, y), map)) } }
        @if more > 0 { p.faint { "And " (unit::counted(more, "more map")) "; the table has all points." } }
        @if across.values.len() > VALUES_MAX || up.values.len() > VALUES_MAX {
            p.faint { "Of each setting the first " (VALUES_MAX) " values are drawn." }
        }
        @match one_state(points) {
            Some(told) => { p { strong { (told) } } }
            None => { div.plots { (frontier(points, (x, y), &maps)) } }
        }
    }
}

/// What there is to say instead of a border, where there is none.
fn one_state(points: &Points) -> Option<&'static str> {
    match super::count(points, State::Stable) {
        0 => Some("No point is stable."),
        n if n == points.all.len() => Some("Every point is stable."),
        _ => None,
    }
}

/// The point of a map at a place.
fn at<'a>(
    points: &'a Points,
    map: &Map,
    (x, y): (usize, usize),
    (i, j): (usize, usize),
) -> Option<&'a Point> {
    let mut place = map.others.clone();
    place[x] = i;
    place[y] = j;
    points.all.get(&place)
}

fn table(points: &Points, (x, y): (usize, usize), map: &Map) -> Markup {
    let (across, up) = (&points.axes[x], &points.axes[y]);
    let (columns, mut rows) = (across.ascending(), up.ascending());
    rows.truncate(VALUES_MAX);
    // The greatest is on top, as in a plot.
    rows.reverse();
    let columns: Vec<usize> = columns.into_iter().take(VALUES_MAX).collect();
    let names = across.labels();
    let stable = |i: usize, j: usize| {
        at(points, map, (x, y), (i, j)).map(Point::state) == Some(State::Stable)
    };
    let edges = |c: usize, r: usize| {
        let here = stable(columns[c], rows[r]);
        let right = columns
            .get(c + 1)
            .is_some_and(|next| stable(*next, rows[r]) != here);
        let top = r > 0 && stable(columns[c], rows[r - 1]) != here;
        format!(
            "{}{}",
            if right { " edge-r" } else { "" },
            if top { " edge-t" } else { "" }
        )
    };
    let title = match map.title.as_str() {
        "" => format!("{} and {}", across.name(), up.name()),
        title => title.to_owned(),
    };
    html! {
        div.scroll tabindex="0" role="group" aria-label=(text::plain(&title)) {
            table.map {
                caption { (text::said(&title)) }
                thead { tr {
                    th scope="col" { span.axis { (text::name(up.name())) } }
                    @for value in &columns { th scope="col" { (text::name(&names[*value])) } }
                } }
                tbody {
                    @for (r, row) in rows.iter().enumerate() {
                        tr {
                            th scope="row" { (text::name(&up.values[*row])) }
                            @for (c, column) in columns.iter().enumerate() {
                                (cell(points, at(points, map, (x, y), (*column, *row)), &edges(c, r)))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The columns of a map, in the order of their values.
fn columns(points: &Points, map: &Map, (x, y): (usize, usize)) -> Vec<(usize, Column)> {
    let across = points.axes[x].ascending().into_iter();
    let column = |c: usize| Column::new(&points.axes[y], |row| at(points, map, (x, y), (c, row)));
    let all = across.map(|c| (c, column(c)));
    all.filter(|(_, column)| !column.is_empty()).collect()
}

pub(super) fn scale(axis: &Axis) -> Scale {
    let places = axis.places();
    let labels = axis.labels();
    let order = axis.ascending().into_iter();
    Scale::setting(axis.name(), order.map(|i| (places[i], labels[i].clone())))
}

/// The borders of all maps in one plot; with one map its points too.
fn frontier(points: &Points, (x, y): (usize, usize), maps: &[Map]) -> Markup {
    let (across, up) = (&points.axes[x], &points.axes[y]);
    let alone = maps.len() == 1;
    let drawn: Vec<_> = maps
        .iter()
        .take(BORDERS_MAX)
        .map(|map| (map, columns(points, map, (x, y))))
        .collect();
    let side = border::side(
        drawn
            .iter()
            .flat_map(|(_, all)| all)
            .map(|(_, column)| column),
    );
    let (places, heights) = (across.places(), up.places());
    let about = match side {
        Side::Below => {
            "Below the line every point is stable; it runs half way between the last that is and the first that is not."
        }
        Side::Above => {
            "Above the line every point is stable; it runs half way between the last that is not and the first that is."
        }
        Side::Parts if alone => {
            "In the shaded parts every point is stable; their edges run half way between a point that is and one that is not."
        }
        Side::Parts => {
            return html! { p.faint { "What is stable does not lie to one side of a line: the thick lines in the maps are its border." } };
        }
    };
    let lines = drawn.iter().zip(0..).flat_map(|((map, columns), number)| {
        if side == Side::Parts {
            return parts(columns, &border::widths(across), &heights);
        }
        let height =
            |(c, column): &(usize, Column)| Some((places[*c], column.height(side, &heights)?));
        vec![Curve {
            name: if alone {
                "border".into()
            } else {
                map.title.clone()
            },
            number,
            points: columns.iter().filter_map(height).collect(),
            spread: Vec::new(),
            dots: false,
        }]
    });
    let curves = lines.collect();
    let marks: Vec<Mark> = match alone {
        false => Vec::new(),
        true => points
            .all
            .iter()
            .map(|(at, point)| Mark {
                at: (places[at[x]], heights[at[y]]),
                state: point.state().number(),
                sign: point.state().sign(),
            })
            .collect(),
    };
    let more = match maps.len().saturating_sub(BORDERS_MAX) {
        0 => String::new(),
        n => format!(" The first {BORDERS_MAX} are drawn; {n} more are not."),
    };
    let told = drawn
        .iter()
        .flat_map(|(_, columns)| columns)
        .map(|(c, column)| {
            let here = &across.values[*c];
            format!("{here}: {}", column.told(side, up))
        });
    let plot = Plot {
        title: "The border of what is stable".into(),
        about: format!("{about}{more}"),
        told: format!("{}.", told.collect::<Vec<_>>().join("; ")),
        across: scale(across),
        up: scale(up).with_room(0.12),
        curves,
        marks,
    };
    chart::plot("frontier", &plot)
}

/// The stable stretches of each column as shapes.
fn parts(columns: &[(usize, Column)], widths: &[(f64, f64)], heights: &[f64]) -> Vec<Curve> {
    let shape = |c: usize, (low, high): (f64, f64)| Curve {
        name: "stable".into(),
        number: 0,
        points: Vec::new(),
        spread: vec![(widths[c].0, low, high), (widths[c].1, low, high)],
        dots: false,
    };
    let of = |(c, column): &(usize, Column)| {
        let parts = column.parts(heights).into_iter();
        parts.map(|part| shape(*c, part)).collect::<Vec<_>>()
    };
    columns.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{Cell, Column, ColumnKind};

    /// Rates across, `up` upwards, and what each of their points came to.
    fn of(up: &str, all: [(&str, &str, &str); 6]) -> Points {
        let column = |name: &str| Column {
            name: name.into(),
            kind: ColumnKind::Text,
        };
        let mut points = Points::new(&["rate", up, "seed", "verdict"].map(column));
        for (rate, value, verdict) in all {
            let text = |t: &str| Cell::Text(t.into());
            points.add(&[text(rate), text(value), Cell::Count(1), text(verdict)]);
        }
        points
    }

    /// Rates 1, 2, 3 across; lengths 1 s, 2 s upwards; at rate 1 all is stable, at 2 the shorter, at 3 nothing.
    fn points() -> Points {
        of(
            "for",
            [
                ("1/s", "1s", "held"),
                ("1/s", "2s", "held"),
                ("2/s", "1s", "held"),
                ("2/s", "2s", "metastable"),
                ("3/s", "1s", "failed"),
                ("3/s", "2s", "metastable"),
            ],
        )
    }

    #[test]
    fn the_border_is_told_with_its_side() {
        let page = body(&points()).into_string();
        assert!(
            page.contains("Below the line every point is stable"),
            "{page}"
        );
        assert!(
            page.contains("1/s: stable up to 2s; 2/s: stable up to 1s; 3/s: nowhere stable."),
            "{page}"
        );
    }

    #[test]
    fn where_more_is_better_the_stable_side_is_above() {
        let points = of(
            "workers",
            [
                ("1/s", "1", "held"),
                ("1/s", "2", "held"),
                ("2/s", "1", "failed"),
                ("2/s", "2", "held"),
                ("3/s", "1", "failed"),
                ("3/s", "2", "metastable"),
            ],
        );
        let page = body(&points).into_string();
        assert!(
            page.contains("Above the line every point is stable"),
            "{page}"
        );
        assert!(!page.contains("Below the line"), "{page}");
        assert!(
            page.contains("1/s: stable from 1 up; 2/s: stable from 2 up; 3/s: nowhere stable."),
            "{page}"
        );
    }

    #[test]
    fn without_two_sides_there_is_no_border() {
        let all = |verdict| {
            let rates = ["1/s", "2/s", "3/s"];
            let point = |i: usize| (rates[i / 2], ["1s", "2s"][i % 2], verdict);
            of("for", std::array::from_fn(point))
        };
        for (verdict, told) in [
            ("failed", "No point is stable."),
            ("held", "Every point is stable."),
        ] {
            let page = body(&all(verdict)).into_string();
            assert!(page.contains(told), "{page}");
            for word in ["Below the line", "Above the line", "border", "<svg"] {
                assert!(!page.contains(word), "{word}: {page}");
            }
        }
    }

    #[test]
    fn cells_beside_the_border_say_so() {
        let page = body(&points()).into_string();
        // Upwards: 2 s first. Rate 1 against 2 there, then 2 s against 1 s below it at rate 2.
        assert!(
            page.contains(r#"<td class="stable edge-r"><span class="s">● stable"#),
            "{page}"
        );
        assert!(
            page.contains(r#"<td class="stable edge-r edge-t">"#),
            "{page}"
        );
        assert_eq!(page.matches("<td class=").count(), 6);
    }
}
