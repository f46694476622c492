//! Files put in their place whole: written under another name beside it, and renamed when they are done.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A file that is not done. It is gone when this is dropped, unless it was kept.
pub(super) struct Draft {
    path: PathBuf,
    is_kept: bool,
}

/// Refuses a place where there is something already.
pub(super) fn must_be_free(file: &Path) -> anyhow::Result<()> {
    match fs::symlink_metadata(file) {
        Ok(_) => bail!(
            "{} is there already, and no file is overwritten\nTry: another name",
            file.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => bail!("{}: {error}\nTry: another place", file.display()),
    }
}

impl Draft {
    /// A name beside a file, on the same disk. Nothing is made yet.
    pub(super) fn beside(file: &Path) -> anyhow::Result<Self> {
        let Some(name) = file.file_name() else {
            bail!("{} names no file\nTry: doorward-backup.db", file.display());
        };
        let mut draft = name.to_owned();
        draft.push(format!(".{}.part", std::process::id()));
        Ok(Self { path: file.with_file_name(draft), is_kept: false })
    }

    /// The one draft that there can be of a file, for whoever holds its lock. What a process left that was
    /// killed is removed.
    pub(super) fn only_of(file: &Path) -> anyhow::Result<Self> {
        for end in [".part", ".part-journal"] {
            match fs::remove_file(with(file, end)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    let shown = file.display();
                    return Err(error).context(format!("removing an old draft of {shown}"));
                }
                _ => {}
            }
        }
        Ok(Self { path: with(file, ".part"), is_kept: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it where there is nothing yet, for good.
    pub(super) fn keep_as(mut self, file: &Path) -> anyhow::Result<()> {
        // A link is never made over a file that came meanwhile. Disks that know none are left with a look.
        let put = match fs::hard_link(&self.path, file) {
            Ok(()) => fs::remove_file(&self.path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return must_be_free(file),
            Err(_) => {
                must_be_free(file)?;
                fs::rename(&self.path, file)
            }
        };
        self.is_kept = put.is_ok();
        put.and_then(|()| sync_folder_of(file))
            .with_context(|| format!("putting the copy at {}", file.display()))
    }

    /// Puts it in the place of what is there, in one step and for good.
    pub(super) fn replace(mut self, file: &Path) -> anyhow::Result<()> {
        let put = fs::rename(&self.path, file);
        self.is_kept = put.is_ok();
        put.and_then(|()| sync_folder_of(file))
            .with_context(|| format!("putting the database at {}", file.display()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept {
            // There may be none yet, and what could be done if it stays?
            drop(fs::remove_file(&self.path));
        }
    }
}

/// A name with more behind it.
pub(super) fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// A name is on the disk once its folder is.
pub(super) fn sync_folder_of(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}
