//! Where plotters draws: SVG of our own.
//!
//! plotters' own SVG backend writes fixed colours and fixed fonts, pixel by pixel, and escapes text by its own rules.
//! Here a shape gets the class of its [`Ink`], so that one drawing is right in light, in dark and on paper; text passes
//! through the page's one escaping; coordinates have a tenth of a unit; and shapes of one ink that follow each other
//! are one path, which makes a heat map a tenth as large.

use std::convert::Infallible;
use std::fmt::Write;

use maud::{Markup, PreEscaped, html};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    text_anchor::HPos,
};

use crate::html::palette::Ink;

/// Canvas points to one unit of the drawing.
pub(super) const FINE: i32 = 10;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// How a path is painted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paint {
    Fill,
    Stroke,
}

/// A canvas of `width` × `height` units that writes what is drawn to `out`.
pub(super) struct Canvas<'a> {
    width: u32,
    height: u32,
    out: &'a mut String,
    /// The path that is being written.
    open: Option<(Paint, (u8, u8, u8))>,
}

impl<'a> Canvas<'a> {
    pub(super) const fn new(width: u32, height: u32, out: &'a mut String) -> Self {
        Self {
            width,
            height,
            out,
            open: None,
        }
    }

    /// Ends the path that is being written, and begins another where the next shape is of another kind.
    fn path(&mut self, paint: Paint, color: BackendColor) {
        if self.open == Some((paint, color.rgb)) {
            return;
        }
        self.close();
        let class = Ink::class(color.rgb);
        let kind = match paint {
            Paint::Fill => "f",
            Paint::Stroke => "l",
        };
        let _ = write!(self.out, r#"<path class="{kind} {class}" d=""#);
        self.open = Some((paint, color.rgb));
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.out.push_str("\"/>");
        }
    }

    fn number(&mut self, fine: i32) {
        let (whole, tenth) = (fine / FINE, (fine % FINE).abs());
        if fine < 0 && whole == 0 {
            self.out.push('-');
        }
        let _ = write!(self.out, "{whole}");
        if tenth > 0 {
            let _ = write!(self.out, ".{tenth}");
        }
    }

    fn step(&mut self, command: char, (x, y): BackendCoord) {
        self.out.push(command);
        self.number(x);
        self.out.push(' ');
        self.number(y);
    }

    fn points(&mut self, points: impl IntoIterator<Item = BackendCoord>) {
        for (i, point) in points.into_iter().enumerate() {
            self.step(if i == 0 { 'M' } else { 'L' }, point);
        }
    }
}

impl Drop for Canvas<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let fine = FINE.unsigned_abs();
        (self.width * fine, self.height * fine)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        self.close();
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x + FINE, y + FINE), &color, true)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.path(
            if fill { Paint::Fill } else { Paint::Stroke },
            style.color(),
        );
        self.step('M', (left, top));
        self.out.push('H');
        self.number(right);
        self.out.push('V');
        self.number(bottom);
        self.out.push('H');
        self.number(left);
        self.out.push('Z');
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.path(Paint::Stroke, style.color());
        self.points(path);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.path(
            if fill { Paint::Fill } else { Paint::Stroke },
            style.color(),
        );
        let r = i32::try_from(radius).unwrap_or(i32::MAX);
        self.step('M', (x - r, y));
        for side in [2 * r, -2 * r] {
            self.out.push('a');
            for number in [r, r] {
                self.number(number);
                self.out.push(' ');
            }
            self.out.push_str("0 1 0 ");
            self.number(side);
            self.out.push_str(" 0");
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        self.path(Paint::Fill, style.color());
        self.points(corners);
        self.out.push('Z');
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        self.close();
        let anchor = match style.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        let class = Ink::class(style.color().rgb);
        let escaped: Markup = html! { (text) };
        let _ = write!(self.out, r#"<text class="{class}" x=""#);
        self.number(x);
        self.out.push_str("\" y=\"");
        self.number(y);
        let PreEscaped(escaped) = escaped;
        let _ = write!(self.out, r#"" text-anchor="{anchor}">{escaped}</text>"#);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(ink: Ink) -> BackendColor {
        BackendColor {
            alpha: 1.0,
            rgb: ink.code(),
        }
    }

    #[test]
    fn shapes_of_one_ink_are_one_path() {
        let mut out = String::new();
        let mut canvas = Canvas::new(10, 10, &mut out);
        let (little, much) = (ink(Ink::Heat(0)), ink(Ink::Heat(5)));
        canvas.draw_rect((0, 0), (15, 20), &little, true).unwrap();
        canvas.draw_rect((20, 0), (30, 20), &little, true).unwrap();
        canvas.draw_path([(-5, 0), (105, 20)], &much).unwrap();
        drop(canvas);
        assert_eq!(
            out,
            r#"<path class="f h0" d="M0 0H1.5V2H0ZM2 0H3V2H2Z"/><path class="l h5" d="M-0.5 0L10.5 2"/>"#
        );
    }
}
