//! What `data info` prints of a part of a dataset.

use crate::common::{Outcome, print};
use crate::progress::Bar;
use convnet::data::{DataError, Dataset, IGNORED, Target, TargetKind};
use convnet::wording::{counted, noun};
use std::error::Error;

/// Prints how many images a part has, and what is known of them.
pub fn describe(name: &str, part: &dyn Dataset) -> Outcome {
    let (images, names) = (counted(part.len(), "image"), part.classes());
    let classes = counted(names.len(), "class");
    print(&match part.target_kind() {
        TargetKind::Labels => format!("{name}: {images} with labels of {classes}"),
        TargetKind::Mask => format!("{name}: {images} with masks of {classes}"),
        TargetKind::Numbers => format!("{name}: {images} with {} each", counted(names.len(), "number")),
        TargetKind::Nothing => format!("{name}: {images} without targets"),
        _ => format!("{name}: {images} in {classes}"),
    })?;
    match part.image(0) {
        Ok(first) => {
            let [channels, height, width] = first.shape;
            let colours = if channels == 1 { "grey" } else { "in colour" };
            print(&format!("  the first one: {width} x {height}, {colours}"))?;
        }
        Err(error) => print(&format!("  the first one cannot be read: {error}"))?,
    }
    let lines = match part.target_kind() {
        TargetKind::Class => {
            let mut counts = vec![0; names.len()];
            (0..part.len()).for_each(|i| counts[part.label(i)] += 1);
            counted_names(&counts, names)
        }
        TargetKind::Labels => labels(part)?,
        TargetKind::Mask => {
            let _bar = Bar::new(format!("reading the masks of the {name} set"));
            masks(part)
        }
        TargetKind::Numbers => numbers(part)?,
        _ => Vec::new(),
    };
    lines.iter().try_for_each(|line| print(line))?;
    Ok(())
}

fn counted_names(counts: &[usize], names: &[String]) -> Vec<String> {
    counts.iter().zip(names).map(|(count, name)| format!("  {count:7}  {name}")).collect()
}

/// How many images have each label, and how many have none.
fn labels(part: &dyn Dataset) -> Result<Vec<String>, Box<dyn Error>> {
    let (mut counts, mut none) = (vec![0; part.classes().len()], 0);
    for i in 0..part.len() {
        if let Target::Labels(labels) = part.target(i)? {
            counts.iter_mut().zip(labels.iter()).for_each(|(count, label)| *count += usize::from(*label));
            none += usize::from(!labels.contains(&true));
        }
    }
    let mut lines = counted_names(&counts, part.classes());
    if none > 0 {
        lines.push(format!("  {none:7}  (no label)"));
    }
    Ok(lines)
}

/// The share of each class among all pixels. Masks that cannot be used are said, with the first reason.
fn masks(part: &dyn Dataset) -> Vec<String> {
    let mut counts = [0_u64; 256];
    let mut failed: Vec<DataError> = Vec::new();
    for i in 0..part.len() {
        match part.target(i) {
            Ok(Target::Mask(mask)) => mask.pixels.iter().for_each(|value| counts[usize::from(*value)] += 1),
            Ok(_) => {}
            Err(error) => failed.push(error),
        }
    }
    let all = counts.iter().sum::<u64>().max(1) as f64;
    let share = |value: usize, name: &str| format!("  {:6.2} %  {name}", 100.0 * counts[value] as f64 / all);
    let mut lines: Vec<String> =
        part.classes().iter().enumerate().take(usize::from(IGNORED)).map(|(i, name)| share(i, name)).collect();
    lines.push(share(usize::from(IGNORED), "(pixels that do not count)"));
    if let Some(first) = failed.first() {
        let (n, masks) = (failed.len(), noun(failed.len(), "mask"));
        lines.push(format!("  {n} {masks} cannot be used, the first because of this: {first}"));
    }
    lines
}

/// The smallest, the mean and the largest of each number.
fn numbers(part: &dyn Dataset) -> Result<Vec<String>, Box<dyn Error>> {
    let mut columns = vec![(f32::INFINITY, 0.0, f32::NEG_INFINITY); part.classes().len()];
    for i in 0..part.len() {
        if let Target::Numbers(numbers) = part.target(i)? {
            for ((least, sum, most), number) in columns.iter_mut().zip(numbers.iter()) {
                (*least, *sum, *most) = (least.min(*number), *sum + f64::from(*number), most.max(*number));
            }
        }
    }
    let line = |(name, (least, sum, most)): (&String, &(f32, f64, f32))| {
        format!("  {name}: from {least} to {most}, mean {}", short(sum / part.len().max(1) as f64))
    };
    Ok(part.classes().iter().zip(&columns).map(line).collect())
}

/// A number with five digits.
fn short(number: f64) -> f64 {
    format!("{number:.4e}").parse().unwrap_or(number)
}
