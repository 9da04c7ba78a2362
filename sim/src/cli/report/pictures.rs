//! `meshquake report --png`: drawings as files.

#[cfg(feature = "png")]
pub(super) use drawn::Pictures;
#[cfg(not(feature = "png"))]
pub(super) use refused::Pictures;

#[cfg(feature = "png")]
mod drawn {
    use std::path::{Path, PathBuf};

    use crate::cli::output;

    /// The folder that drawings go into.
    pub(in super::super) struct Pictures {
        folder: PathBuf,
        made: meshquake_reports::Pictures,
    }

    impl Pictures {
        pub(in super::super) fn into(folder: &Path) -> Result<Self, String> {
            let made = meshquake_reports::Pictures::default();
            let folder = folder.to_owned();
            Ok(Self { folder, made })
        }

        /// Writes the drawings of `page`, and says each file's name; `of` is what the page is of, where there are
        /// several. How many there are.
        pub(in super::super) fn write(&mut self, page: &str, of: &str) -> Result<usize, String> {
            let pictures = self.made.of(page, of).map_err(|error| error.to_string())?;
            for picture in &pictures {
                let png = picture.png().map_err(|error| error.to_string())?;
                std::fs::create_dir_all(&self.folder)
                    .map_err(|error| output::at(&self.folder, &error).to_string())?;
                super::super::write(&self.folder.join(format!("{}.png", picture.name)), &png)?;
            }
            Ok(pictures.len())
        }
    }
}

#[cfg(not(feature = "png"))]
mod refused {
    use std::path::Path;

    /// There are none.
    pub(in super::super) enum Pictures {}

    impl Pictures {
        pub(in super::super) fn into(_: &Path) -> Result<Self, String> {
            Err("this meshquake is built without pictures: build it with \
                `cargo install --path sim --features png`, or take the page"
                .into())
        }

        pub(in super::super) fn write(&mut self, _: &str, _: &str) -> Result<usize, String> {
            match *self {}
        }
    }
}

#[cfg(all(test, not(feature = "png")))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn without_the_feature_one_is_told_how_to_get_it() {
        let why = Pictures::into(Path::new("slides")).err();
        assert!(why.is_some_and(|why| why.contains("--features png")));
    }
}
