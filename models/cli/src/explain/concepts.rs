//! What a network distinguishes: neighbours in the space of a layer, channels that stand for concepts, concepts that a class
//! leans on.

use super::context::Context;
use convnet::data::{decode, fit};
use convnet::explain::concepts::{self, Concept, Marked, Score, detectors};
use convnet::explain::neighbours::{Index, features_of};
use convnet::explain::tcav::{self, Tcav};
use convnet::explain::{ExplainError, Unit, Volume};
use convnet::graph::Op;
use convnet::report::{Finding, Table, paint};
use std::error::Error;
use std::path::{Path, PathBuf};

type FindingResult = Result<Finding, Box<dyn Error>>;

/// Neighbours that are shown.
const NEAREST: usize = 6;

pub fn neighbours(context: &Context<'_>) -> FindingResult {
    context.only_classes("the search for neighbours")?;
    let graph = context.graph();
    let loader = context.loader()?;
    let test = context.test()?.clone();
    // What the output is computed from: all that the network has made of an image.
    let node = context.layer_or(graph.nodes[graph.output()].inputs[0])?;
    let name = &context.name(node);
    let by_layer = context.watched("features", |progress| Index::new(context.network, node, &loader, progress))?;
    let by_pixel = context.watched("pixels", |progress| Index::new(context.network, 0, &loader, progress))?;
    let mut finding = Finding::new(
        "neighbours",
        "Nearest neighbours",
        "For each image the nearest ones of the test set: above by a layer's values, below by pixels (Krizhevsky et al., 2012). What the layer puts \
         together, it takes to be alike.",
    );
    let shape = graph.input().chw();
    for shown in &context.images {
        let mut images = Vec::new();
        let mut labels = Vec::new();
        for index in [(&by_layer, node), (&by_pixel, 0)] {
            let features = features_of(context.network, index.1, &shown.image)?;
            let same = |i: &usize| index.0.features(*i) == &features[..];
            let own = (0..index.0.labels.len()).find(same).map(|i| index.0.indices[i]);
            images.push(context.photo(shown));
            for near in index.0.nearest(&features, NEAREST, own) {
                let pixels = context.preparation.pixels(&test.image(near.index)?)?;
                images.push(paint::photo(&Volume::new(shape, pixels), &context.preparation.normalisation));
                labels.push(test.classes()[near.label].clone());
            }
        }
        let (by_layer, by_pixel) = labels.split_at(labels.len() / 2);
        let caption = format!(
            "{}, then its neighbours in {name} ({}) and, below, in pixels ({})",
            shown.name,
            by_layer.join(" "),
            by_pixel.join(" ")
        );
        finding.first(&shown.name, caption, paint::sheet(&images, NEAREST + 1));
    }
    let queries = by_layer.labels.len().min(500);
    let rates = [by_layer.agreement(NEAREST, queries), by_pixel.agreement(NEAREST, queries)];
    finding.tables.push(Table {
        caption: format!(
            "How often one of the {NEAREST} nearest among {} images is of the same class, over {queries} of them",
            by_layer.labels.len()
        ),
        head: vec!["space".into(), "same class".into()],
        rows: [name.as_str(), "pixels"]
            .iter()
            .zip(rates)
            .map(|(name, rate)| vec![name.to_string(), format!("{:.1} %", 100.0 * rate)])
            .collect(),
    });
    finding.arrays.push(("agreement".into(), Volume::new([2, 1, 1], rates.map(|x| x as f32).to_vec())));
    Ok(finding)
}

/// Channels that are listed, at most.
const CHANNELS: usize = 64;
/// Images of each concept, at most.
const IMAGES: usize = 200;

/// The concepts of a folder, or the classes of the test set.
fn concepts(context: &Context<'_>) -> Result<Vec<Concept>, Box<dyn Error>> {
    let Some(folder) = &context.arguments.concepts else {
        context.only_classes("dissection without --concepts")?;
        let mut concepts: Vec<Concept> =
            context.test()?.classes().iter().map(|name| Concept { name: name.clone(), images: Vec::new() }).collect();
        for (image, label) in context.many(usize::MAX)? {
            if concepts[label].images.len() < IMAGES {
                concepts[label].images.push(Marked { image, mask: None });
            }
        }
        concepts.retain(|concept| !concept.images.is_empty());
        return Ok(concepts);
    };
    let mut concepts = Vec::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into());
        let (folder, masks) = (path.join("images"), path.join("masks"));
        let has_masks = folder.is_dir() && masks.is_dir();
        let mut images = Vec::new();
        for file in entries(if has_masks { &folder } else { &path })?.iter().filter(|file| is_image(file)).take(IMAGES)
        {
            let mask = match has_masks {
                true => Some(mask(context, &twin(&masks, file)?)?),
                false => None,
            };
            images.push(Marked { image: image(context, file)?, mask });
        }
        concepts.push(Concept { name, images });
    }
    if concepts.is_empty() {
        return Err(format!("{} has no folder for a concept", folder.display()).into());
    }
    Ok(concepts)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let list = std::fs::read_dir(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut entries = list.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    Ok(entries)
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ["png", "jpg", "jpeg"].iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// The mask of an image: the file of the same name, whatever its ending.
fn twin(masks: &Path, file: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let found = entries(masks)?.into_iter().find(|mask| mask.file_stem() == file.file_stem());
    found.ok_or_else(|| format!("{} has no mask in {}", file.display(), masks.display()).into())
}

fn image(context: &Context<'_>, file: &Path) -> Result<Volume, Box<dyn Error>> {
    Ok(Volume::new(context.preparation.shape, context.preparation.read(file)?))
}

/// What is brighter than half, brought to the network's size as its image is.
fn mask(context: &Context<'_>, file: &Path) -> Result<Vec<bool>, Box<dyn Error>> {
    let mask = fit::coloured(decode::read(file)?, 1).and_then(|mask| context.preparation.placed(mask));
    Ok(mask.map_err(|error| error.of(file))?.pixels.iter().map(|x| *x > 127).collect())
}

pub fn dissect(context: &Context<'_>) -> FindingResult {
    let concepts = concepts(context)?;
    let node = context.layer_or(context.last_map()?)?;
    let name = context.name(node);
    let scores =
        context.watched("dissect", |progress| concepts::dissect(context.network, node, &concepts, progress))?;
    let mut finding = Finding::new(
        "dissect",
        "Which channel stands for what",
        "Each channel of a layer is held against each concept, in the way of network dissection (Bau et al., 2017). AUC: how surely an image of the \
         concept drives the channel more than another image does; 0.5 is chance. IoU, where masks are given: how well the channel's strongest \
         pixels cover the concept.",
    );
    let mut rows = Vec::new();
    for (concept, best) in concepts.iter().zip(detectors(&scores, 3)?) {
        for score in best {
            let iou = score.iou.map_or("–".into(), |iou| format!("{iou:.3}"));
            rows.push(vec![concept.name.clone(), score.channel.to_string(), format!("{:.3}", score.auc), iou]);
        }
    }
    finding.tables.push(Table {
        caption: format!("The three channels of {name} that tell each concept best, over {} concepts", concepts.len()),
        head: ["concept", "channel", "AUC", "IoU"].map(String::from).to_vec(),
        rows,
    });
    let key = |score: &&Score| score.iou.unwrap_or(score.auc);
    let best = scores.iter().take(CHANNELS).filter_map(|all| all.iter().max_by(|a, b| key(a).total_cmp(&key(b))));
    let row = |score: &Score| {
        let iou = score.iou.map_or("–".into(), |iou| format!("{iou:.3}"));
        vec![score.channel.to_string(), concepts[score.concept].name.clone(), format!("{:.3}", score.auc), iou]
    };
    finding.tables.push(Table {
        caption: format!("What each channel of {name} tells best"),
        head: ["channel", "concept", "AUC", "IoU"].map(String::from).to_vec(),
        rows: best.map(row).collect(),
    });
    let auc = scores.iter().flat_map(|channel| channel.iter().map(|score| score.auc as f32)).collect();
    let shape = [scores.len(), concepts.len(), 1];
    finding.arrays.push(("AUC by channel and concept".into(), Volume::new(shape, auc)));
    if scores.iter().flatten().any(|score| score.iou.is_some()) {
        let iou =
            scores.iter().flat_map(|channel| channel.iter().map(|score| score.iou.map_or(f32::NAN, |x| x as f32)));
        finding.arrays.push(("IoU by channel and concept".into(), Volume::new(shape, iou.collect())));
    }
    Ok(finding)
}

/// Images of a class that a concept is tested on.
const TESTED: usize = 40;
/// Below this, a difference is taken to be more than chance.
const SIGNIFICANT: f64 = 0.05;

pub fn tcav(context: &Context<'_>) -> FindingResult {
    let graph = context.graph();
    let is_default =
        |id: &usize| matches!(graph.nodes[*id].op, Op::Activation(_) | Op::Add) && !graph.nodes[*id].auxiliary;
    let node =
        context.layer_or((1..graph.output()).rfind(is_default).unwrap_or(graph.nodes[graph.output()].inputs[0]))?;
    context.only_classes("TCAV")?;
    let [classes, outputs] = [context.test()?.classes().len(), graph.output_shape().len()];
    if classes != outputs {
        let text = format!("TCAV takes images of a class: the dataset has {classes} classes, the network {outputs}");
        return Err(ExplainError::TooFew(text).into());
    }
    let concepts = concepts(context)?;
    let many = context.many(usize::MAX)?;
    let class = context.asked_class()?.or(context.images.first().map(|shown| shown.said.asked)).unwrap_or(0);
    let unit = Unit::class(graph, class)?;
    let of_class: Vec<Volume> =
        many.iter().filter(|(_, label)| *label == class).take(TESTED).map(|(image, _)| image.clone()).collect();
    let mut finding = Finding::new(
        "tcav",
        "Which concepts a class leans on",
        "A linear probe finds the direction of a concept in a layer; the score is the share of the class's images whose answer rises along it \
         (Kim et al., 2017). Held against probes between random images: only what chance hardly gives counts.",
    );
    let name = &context.name(node);
    let mut rows = Vec::new();
    let mut scores = Vec::new();
    let total = concepts.len();
    for (i, concept) in concepts.iter().enumerate() {
        let own: Vec<Volume> = concept.images.iter().take(60).map(|marked| marked.image.clone()).collect();
        let others: Vec<Volume> =
            many.iter().filter(|(image, _)| !own.contains(image)).take(150).map(|(image, _)| image.clone()).collect();
        let options = Tcav { seed: context.arguments.seed, ..Tcav::default() };
        let what = format!("tcav {}/{total}", i + 1);
        let found = context.watched(&what, |progress| {
            tcav::tcav(context.network, node, unit, [&own, &others, &of_class], options, progress)
        })?;
        let chance = found.chance.iter().sum::<f64>() / found.chance.len() as f64;
        // As many tests as concepts: by chance alone one in twenty would pass.
        let verdict = match found.p * total as f64 {
            p if p >= SIGNIFICANT => "no more than chance",
            _ if found.score() > chance => "leans on it",
            _ => "leans away from it",
        };
        let accuracy = format!("{:.0} %", 100.0 * found.accuracy);
        let (score, chance, p) = (format!("{:.2}", found.score()), format!("{chance:.2}"), format!("{:.1e}", found.p));
        rows.push(vec![concept.name.clone(), accuracy, score, chance, p, verdict.into()]);
        scores.push(found.score() as f32);
    }
    finding.tables.push(Table {
        caption: format!(
            "Class {} at {name}; significance by Welch's t-test, Bonferroni over {total} concepts",
            context.class(class)
        ),
        head: ["concept", "probe's accuracy", "score", "by chance", "p", "verdict"].map(String::from).to_vec(),
        rows,
    });
    finding.arrays.push(("score by concept".into(), Volume::new([scores.len(), 1, 1], scores)));
    Ok(finding)
}
