//! What a network says about an image, for each task: as text, as JSON and as CSV, and as pictures where it is one.

use crate::common::{self, Outcome};
use crate::place;
use crate::trained::Trained;
use convnet::data::{IGNORED, Image};
use convnet::explain::Volume;
use convnet::objective::{Itself, Masks, Numbers, Objective, Prediction, Task, sigmoid};
use convnet::report::{mask_png, paint, png};
use convnet::wording::short;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What a network says about an image.
#[derive(Serialize)]
pub struct Answer {
    pub image: PathBuf,
    pub inverted: bool,
    #[serde(flatten)]
    pub said: Said,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Said {
    /// The most probable ones, best first.
    Classes { classes: Vec<Class> },
    /// All of them, in their order.
    Labels { labels: Vec<Label> },
    /// All of them, in their order.
    Numbers { numbers: Vec<Number> },
    /// Where the mask lies, and the share of the image's pixels that each class has, as far as it has any.
    Mask { mask: PathBuf, overlay: PathBuf, shares: BTreeMap<String, f64> },
    /// Where the image that comes out lies, and how near it is to the one that went in, in decibels.
    Itself { output: PathBuf, psnr: f64 },
}

#[derive(Serialize)]
pub struct Class {
    class: String,
    probability: f32,
}

#[derive(Serialize)]
pub struct Label {
    label: String,
    probability: f32,
    /// Whether the probability is one half or more.
    there: bool,
}

#[derive(Serialize)]
pub struct Number {
    name: String,
    value: f32,
}

/// What reads a network's answers, and writes those that are pictures.
pub struct Writer<'a> {
    pub trained: &'a Trained,
    top: u16,
    folder: PathBuf,
    /// Names that are taken in the folder.
    taken: BTreeSet<String>,
    numbers: Option<Numbers>,
}

impl<'a> Writer<'a> {
    /// For a trained network; a folder that cannot be made is an error before the first image.
    pub fn new(trained: &'a Trained, top: u16, folder: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let pictures = matches!(trained.task, Task::Masks | Task::Itself);
        if let (false, Some(folder)) = (pictures, folder) {
            let (folder, task) = (folder.display(), trained.task);
            return Err(
                format!("--out {folder} is for networks that give pictures, and this one's task is `{task}`").into()
            );
        }
        let folder = folder.map_or_else(|| PathBuf::from("predictions"), Path::to_owned);
        if pictures {
            std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        }
        let numbers =
            (trained.task == Task::Numbers).then(|| Numbers::of(&trained.about, trained.classes.names().len()));
        Ok(Writer { trained, top, folder, taken: BTreeSet::new(), numbers: numbers.transpose()? })
    }

    /// What the network's output for an image says; `given` is what the network was given.
    pub fn said(
        &mut self,
        path: &Path,
        image: &Image<'_>,
        given: &[f32],
        output: &[f32],
    ) -> Result<Said, Box<dyn Error>> {
        let names = self.trained.classes.names();
        Ok(match self.trained.task {
            Task::MultiLabel => {
                let label = |(label, x): (&String, &f32)| {
                    let probability = sigmoid(f64::from(*x)) as f32;
                    Label { label: label.clone(), probability, there: probability >= 0.5 }
                };
                Said::Labels { labels: names.iter().zip(output).map(label).collect() }
            }
            Task::Numbers => {
                let values = self.numbers.as_ref().map_or_else(Vec::new, |numbers| numbers.decode(output));
                let number = |(name, value): (&String, f32)| Number { name: name.clone(), value };
                Said::Numbers { numbers: names.iter().zip(values).map(number).collect() }
            }
            Task::Masks => self.mask(path, image, output)?,
            Task::Itself => self.itself(path, given, output)?,
            _ => {
                let top = Prediction::from_logits(output).top(self.top.into());
                let class = |(class, probability): (usize, f32)| Class { class: names[class].clone(), probability };
                Said::Classes { classes: top.into_iter().map(class).collect() }
            }
        })
    }

    /// The mask at the size of the image.
    fn mask(&mut self, path: &Path, image: &Image<'_>, output: &[f32]) -> Result<Said, Box<dyn Error>> {
        let (names, [_, height, width]) = (self.trained.classes.names(), image.shape);
        let seen = Masks::decode(output, names.len());
        let labels = self.trained.preparation.unplaced(&seen, [height, width]);
        let name = self.name(path);
        let [mask, overlay] = [format!("{name}.png"), format!("{name}-overlay.png")].map(|name| self.folder.join(name));
        let photo = paint::of_image(image);
        let written = convnet::atomic_file::write(&mask, &mask_png(&labels, [height, width]));
        written.map_err(|source| place::unwritable(&mask, source))?;
        let written = convnet::atomic_file::write(&overlay, &png(&paint::tinted(&photo, &labels)));
        written.map_err(|source| place::unwritable(&overlay, source))?;
        let known = labels.iter().filter(|class| **class != IGNORED).count().max(1) as f64;
        let share = |(class, name): (usize, &String)| {
            let pixels = labels.iter().filter(|label| usize::from(**label) == class).count();
            (pixels > 0).then(|| (name.clone(), pixels as f64 / known))
        };
        Ok(Said::Mask { mask, overlay, shares: names.iter().enumerate().filter_map(share).collect() })
    }

    /// The image that comes out, at the size of the network's input.
    fn itself(&mut self, path: &Path, given: &[f32], output: &[f32]) -> Result<Said, Box<dyn Error>> {
        let trained = self.trained;
        let preparation = &trained.preparation;
        let volume = Volume::new(preparation.shape, output.to_vec());
        let name = self.name(path);
        let file = self.folder.join(format!("{name}.png"));
        let written = convnet::atomic_file::write(&file, &png(&paint::photo(&volume, &preparation.normalisation)));
        written.map_err(|source| place::unwritable(&file, source))?;
        let output: Vec<f64> = output.iter().map(|x| f64::from(*x)).collect();
        let psnr = Itself::of(&preparation.normalisation.std).score(&output, given);
        Ok(Said::Itself { output: file, psnr })
    }

    /// What the picture for an image is called: as the image, with a number where there was one of that name.
    fn name(&mut self, path: &Path) -> String {
        let stem = path.file_stem().map_or_else(|| "image".into(), |stem| stem.to_string_lossy().into_owned());
        let names = std::iter::once(stem.clone()).chain((2..).map(|n| format!("{stem}-{n}")));
        let free = names.into_iter().find(|name| !self.taken.contains(name)).unwrap_or(stem);
        self.taken.insert(free.clone());
        free
    }
}

/// One record for each thing that is said.
pub fn print_csv(answers: &[Answer]) -> Outcome {
    let mut table = csv::Writer::from_writer(Vec::new());
    for (place, Answer { image, said, .. }) in answers.iter().enumerate() {
        let image = image.to_string_lossy().into_owned();
        let (head, rows): (Vec<&str>, Vec<Vec<String>>) = match said {
            Said::Classes { classes } => (
                vec!["image", "rank", "class", "probability"],
                (classes.iter().enumerate())
                    .map(|(rank, Class { class, probability })| {
                        vec![image.clone(), (rank + 1).to_string(), class.clone(), probability.to_string()]
                    })
                    .collect(),
            ),
            Said::Labels { labels } => (
                vec!["image", "label", "probability"],
                (labels.iter())
                    .map(|Label { label, probability, .. }| vec![image.clone(), label.clone(), probability.to_string()])
                    .collect(),
            ),
            Said::Numbers { numbers } => (
                ["image"].into_iter().chain(numbers.iter().map(|number| number.name.as_str())).collect(),
                vec![[image].into_iter().chain(numbers.iter().map(|number| number.value.to_string())).collect()],
            ),
            Said::Mask { mask, overlay, shares } => (
                vec!["image", "class", "share", "mask", "overlay"],
                (shares.iter())
                    .map(|(class, share)| {
                        let [mask, overlay] = [mask, overlay].map(|path| path.to_string_lossy().into_owned());
                        vec![image.clone(), class.clone(), share.to_string(), mask, overlay]
                    })
                    .collect(),
            ),
            Said::Itself { output, psnr } => (
                vec!["image", "psnr", "output"],
                vec![vec![image, psnr.to_string(), output.to_string_lossy().into_owned()]],
            ),
        };
        if place == 0 {
            table.write_record(head)?;
        }
        rows.iter().try_for_each(|row| table.write_record(row))?;
    }
    Ok(io::stdout().lock().write_all(&table.into_inner()?)?)
}

/// What is said, in pieces that stand below each other in a table.
fn pieces(said: &Said) -> Vec<String> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    match said {
        Said::Classes { classes } => {
            let pair = |class: &Class| [class.class.clone(), format!("{:>7}", percent(f64::from(class.probability)))];
            classes.iter().flat_map(pair).collect()
        }
        Said::Labels { labels } => {
            let there = labels.iter().filter(|label| label.there);
            let there: Vec<String> =
                there.map(|label| format!("{} ({})", label.label, percent(f64::from(label.probability)))).collect();
            vec![if there.is_empty() { "none".into() } else { there.join(", ") }]
        }
        Said::Numbers { numbers } => {
            numbers.iter().map(|number| format!("{} {}", number.name, short(f64::from(number.value)))).collect()
        }
        Said::Mask { mask, shares, .. } => {
            let shares: Vec<String> =
                shares.iter().map(|(class, share)| format!("{class} {}", percent(*share))).collect();
            vec![shares.join(", "), mask.display().to_string()]
        }
        Said::Itself { output, psnr } => vec![format!("PSNR {psnr:.2} dB"), output.display().to_string()],
    }
}

/// A line for each answer below one that says what is in it, aligned.
pub fn table(answers: &[Answer]) -> String {
    let head = match answers.first().map(|answer| &answer.said) {
        Some(Said::Classes { .. }) | None => {
            let most = answers.iter().map(|answer| pieces(&answer.said).len() / 2).max().unwrap_or(0);
            (1..=most).flat_map(|rank| [format!("class {rank}"), String::new()]).collect()
        }
        Some(Said::Labels { .. }) => vec!["labels".into()],
        Some(Said::Numbers { .. }) => vec!["numbers".into()],
        Some(Said::Mask { .. }) => vec!["share of the pixels".into(), "mask".into()],
        Some(Said::Itself { .. }) => vec!["how near".into(), "output".into()],
    };
    let mut rows = vec![[vec![String::from("image")], head].concat()];
    for Answer { image, inverted, said } in answers {
        let mut row = [vec![image.display().to_string()], pieces(said)].concat();
        row.extend(inverted.then(|| "[inverted]".into()));
        rows.push(row);
    }
    common::aligned(&rows)
}

/// An answer by itself.
pub fn text(Answer { image, inverted, said }: &Answer) -> String {
    let said = match said {
        Said::Classes { classes } => {
            let class = |class: &Class| format!("{} ({:.1} %)", class.class, class.probability * 100.0);
            classes.iter().map(class).collect::<Vec<_>>().join(", ")
        }
        Said::Mask { mask, overlay, .. } => {
            format!("{} (mask: {}, over the image: {})", pieces(said)[0], mask.display(), overlay.display())
        }
        Said::Itself { output, .. } => format!("{} ({})", pieces(said)[0], output.display()),
        Said::Labels { .. } | Said::Numbers { .. } => pieces(said).join(", "),
    };
    let note = if *inverted { "  [inverted]" } else { "" };
    common::printable(&format!("{}: {said}{note}", image.display()))
}
