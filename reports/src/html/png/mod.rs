//! The drawings of a page as PNG files, for slides, chats and wikis that take no SVG; behind the feature `png`.
//!
//! A page is the one account of what its drawings look like: shapes carry classes, and the style sheet in the page gives
//! the classes their colours. So the drawings are not made a second time, which would drift apart from the first, but
//! cut out of the finished page ([`cut`]); its own style sheet is put into words that a drawing alone understands
//! ([`style`]: the light colours, no variables); title, explanation and key, which on the page are text beside the
//! drawing, are drawn around it ([`sheet`]). What comes out is an SVG file of its own, and resvg makes pixels of it.
//!
//! Nothing is taken from the machine: the letters come from DejaVu Sans Condensed inside the program, so there is a
//! picture where no font is installed, and the same one everywhere. It has the signs that our drawings use and the
//! Latin, Greek, Cyrillic, Hebrew, Arabic, Armenian and Georgian scripts; what it does not have (Chinese, emoji) shows
//! as a box.

mod cut;
mod name;
mod sheet;
mod style;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// Pixels to one unit of a drawing.
const SCALE: f32 = 2.0;
/// Pixels that a side of a picture may have; what would be larger is drawn smaller.
const SIDE_MAX: f32 = 16_384.0;

/// The letters.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    for font in [
        dejavu::sans_condensed::regular(),
        dejavu::sans_condensed::bold(),
    ] {
        fonts.load_font_source(fontdb::Source::Binary(Arc::new(font)));
    }
    let family = fonts.faces().next().and_then(|face| face.families.first());
    let family = family.map_or_else(String::new, |(name, _)| name.clone());
    // The page's fonts end in `sans-serif`; what has none of them falls back to serif.
    fonts.set_sans_serif_family(family.clone());
    fonts.set_serif_family(family);
    Arc::new(fonts)
});

/// Reads a drawing.
fn read(svg: &str) -> Result<Tree, NotDrawn> {
    let options = Options {
        fontdb: FONTS.clone(),
        ..Options::default()
    };
    Tree::from_str(svg, &options).map_err(|error| NotDrawn(error.to_string()))
}

/// Why a drawing became no picture.
#[derive(Debug)]
pub struct NotDrawn(String);

impl fmt::Display for NotDrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a drawing cannot be made a picture: {}", self.0)
    }
}

impl std::error::Error for NotDrawn {}

/// A drawing of a page, as a file of its own.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What it shows, as the name of a file without its ending: small letters, digits and `-`, at most 80 of them, and
    /// no other picture of its [`Pictures`] has it.
    pub name: String,
    /// The drawing as SVG that needs nothing else but a font.
    svg: String,
}

impl Picture {
    /// The picture as a PNG file, of twice the drawing's size.
    ///
    /// # Errors
    /// When the drawing has no size or is no SVG, which is a defect.
    pub fn png(&self) -> Result<Vec<u8>, NotDrawn> {
        let tree = read(&self.svg)?;
        let size = tree.size();
        let scale = SCALE.min(SIDE_MAX / size.width().max(size.height()));
        let pixels = |side: f32| (side * scale).ceil() as u32;
        let mut canvas = Pixmap::new(pixels(size.width()), pixels(size.height()))
            .ok_or_else(|| NotDrawn("it has no size".into()))?;
        let transform = Transform::from_scale(scale, scale);
        resvg::render(&tree, transform, &mut canvas.as_mut());
        canvas
            .encode_png()
            .map_err(|error| NotDrawn(error.to_string()))
    }
}

/// Makes pictures of the drawings of pages, with a name of its own for each.
#[derive(Debug, Default)]
pub struct Pictures {
    taken: BTreeSet<String>,
}

impl Pictures {
    /// The drawings of `page`, which is an HTML page of Meshquake. `of` says what the page is of where there are
    /// several, and is empty where there is one.
    ///
    /// # Errors
    /// When a drawing is no SVG, which is a defect.
    pub fn of(&mut self, page: &str, of: &str) -> Result<Vec<Picture>, NotDrawn> {
        let page = cut::page(page);
        let style = style::of_drawings(page.style);
        let picture = |drawing: &cut::Drawing<'_>| {
            let words: Vec<&str> = [of]
                .into_iter()
                .chain(drawing.of.iter().map(String::as_str))
                .chain([drawing.title.as_str()])
                .collect();
            let name = name::file(&words, &self.taken);
            self.taken.insert(name.clone());
            let svg = sheet::sheet(drawing, page.of(), &style)?;
            Ok(Picture { name, svg })
        };
        page.drawings.iter().map(picture).collect()
    }
}

#[cfg(test)]
mod tests;
