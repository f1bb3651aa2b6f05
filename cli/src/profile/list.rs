//! `podid profile list`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::changes::EditError;
use super::find::{self, Found};
use crate::output::{self, DIM, Format, NOTE, paint};
use crate::yaml::InputError;

/// `podid profile list`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  podid profile list clusters/production -o json")]
pub(crate) struct ListArgs {
    /// Folder to look through, as its files are written
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Only profiles of this namespace
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// Form of the output
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// A profile, as its file says.
#[derive(Debug, Serialize)]
struct Listed {
    /// `None`: a kustomization gives it.
    namespace: Option<String>,
    name: String,
    class: Option<String>,
    selector: String,
    access: Vec<Value>,
    place: String,
}

#[derive(Debug, Serialize)]
struct List {
    profiles: Vec<Listed>,
    /// Files that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Lists the profiles of a folder.
pub(crate) fn list(args: &ListArgs, out: &mut dyn Write) -> Result<(), EditError> {
    std::fs::read_dir(&args.folder).map_err(|source| InputError::Read {
        file: args.folder.clone(),
        source,
    })?;
    let search = find::profiles(&args.folder);
    let profiles = search.found.iter().map(Listed::of).filter(|listed| {
        let wanted = args.namespace.as_ref();
        wanted.is_none_or(|wanted| listed.namespace.as_ref() == Some(wanted))
    });
    let list = List {
        profiles: profiles.collect(),
        notes: search.notes,
    };
    output::formatted(&list, args.output, out, List::text)?;
    Ok(())
}

impl Listed {
    fn of(found: &Found) -> Self {
        let spec = &found.object.value["spec"];
        let name = found.object.name().to_owned();
        let selector = spec["binding"]["selector"].as_str();
        Self {
            namespace: found.object.namespace().map(str::to_owned),
            class: spec["className"].as_str().map(str::to_owned),
            selector: selector.unwrap_or(&name).to_owned(),
            access: spec["access"].as_array().cloned().unwrap_or_default(),
            place: found.place(),
            name,
        }
    }

    fn cells(&self) -> [String; 5] {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let name = format!("{}/{}", or_none(&self.namespace), self.name);
        let roles = self.access.iter().filter_map(|rule| rule["role"].as_str());
        let roles: Vec<&str> = roles.collect();
        let access = match roles.as_slice() {
            [] => "-".to_owned(),
            roles => roles.join(", "),
        };
        [
            name,
            or_none(&self.class),
            self.selector.clone(),
            access,
            self.place.clone(),
        ]
    }
}

impl List {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let titles = ["PROFILE", "CLASS", "SELECTOR", "ACCESS", "FILE"].map(str::to_owned);
        let rows: Vec<[String; 5]> = self.profiles.iter().map(Listed::cells).collect();
        let width = |column: usize| {
            let cells = rows
                .iter()
                .chain([&titles])
                .map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..5).map(width).collect();
        let line = |row: &[String; 5]| {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        if rows.is_empty() {
            writeln!(out, "no profile")?;
        } else {
            writeln!(out, "{}", paint(DIM, &line(&titles)))?;
        }
        for row in &rows {
            writeln!(out, "{}", line(row))?;
        }
        for note in &self.notes {
            writeln!(out, "{} {note}", paint(NOTE, "note"))?;
        }
        Ok(())
    }
}
