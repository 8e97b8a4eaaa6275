//! What layers are like: filters, activations, silence, receptive fields, what drives them, what they keep and what they forget.

use super::context::Context;
use convnet::explain::field::effective;
use convnet::explain::invariance::{self, Change, pooling};
use convnet::explain::invert::{self, Invert};
use convnet::explain::maximise::{self, Maximise};
use convnet::explain::{ExplainError, Place, Unit, Volume, responses};
use convnet::graph::{Op, Shape};
use convnet::objective::Task;
use convnet::report::paint::{self, Scale};
use convnet::report::{Chart, Finding, Table};
use convnet::wording::counted;
use image::RgbImage;
use std::error::Error;

type FindingResult = Result<Finding, Box<dyn Error>>;

/// Maps of a layer that are shown, at most.
const MAPS: usize = 256;

/// A colour image of three channels, or the sum of others with its sign, in the colours of a scale.
fn one(filter: &Volume, scale: Scale) -> RgbImage {
    if filter.shape[0] == 3 { paint::stretched(filter) } else { scale.paint(&filter.summed()) }
}

/// One scale for several maps of a size, so that they can be compared.
fn shared(maps: &[Volume]) -> Scale {
    let values: Vec<f32> = maps.iter().flat_map(|map| map.values.iter().copied()).collect();
    Scale::signed(&Volume::new([1, 1, values.len()], values))
}

fn columns(n: usize) -> usize {
    ((n as f64).sqrt().ceil() as usize).clamp(1, 16)
}

pub fn filters(context: &Context<'_>) -> FindingResult {
    let graph = context.graph();
    let first = (0..graph.nodes.len()).find(|id| matches!(graph.nodes[*id].op, Op::Conv(_))).unwrap_or(0);
    let node = context.layer_or(first)?;
    let (name, file) = (context.name(node), &*graph.nodes[node].name);
    let all = responses::filters(context.network, node)?;
    let mut finding = Finding::new(
        "filters",
        "Filters",
        "The weights of a convolution as images. Only those of a first layer, which work on pixels, can be read; deeper ones are shown by the \
         images that drive them most, a row for each channel, cut to what the unit sees.",
    );
    let [channels, height, width] = all.first().map_or([0; 3], |filter| filter.shape);
    let scale = shared(&all.iter().map(Volume::summed).collect::<Vec<_>>());
    let images: Vec<RgbImage> = all.iter().take(MAPS).map(|filter| one(filter, scale)).collect();
    let count = counted(all.len(), "filter");
    let caption = match channels {
        1 => format!("{name}: {count} of {height}x{width}; red is positive, blue negative"),
        3 => format!("{name}: {count} of {height}x{width} on red, green and blue"),
        n => format!(
            "{name}: {count} of {height}x{width}, summed over their {n} channels; red is positive, blue negative"
        ),
    };
    finding.figure(file, caption, paint::sheet(&images, columns(images.len())));
    if channels != 3 {
        finding.scale(scale);
    }
    let values = all.iter().flat_map(|filter| filter.values.iter().copied()).collect();
    finding.arrays.push((file.into(), Volume::new([all.len() * channels, height, width], values)));
    if context.data.is_none() {
        finding.notes.push("no dataset: what drives the filters most is not shown; name one by --data".into());
        return Ok(finding);
    }
    let loader = context.loader()?;
    let deep = match context.arguments.layer.is_some() {
        true => node,
        false => context.last_map()?,
    };
    let drivers = context
        .watched("filters", |progress| responses::strongest_inputs(context.network, deep, &loader, 8, progress))?;
    let rows = drivers.iter().take(32).filter(|row| row.len() == drivers[0].len());
    let patches: Vec<RgbImage> = rows
        .flat_map(|row| row.iter().map(|driver| paint::photo(&driver.patch, &context.preparation.normalisation)))
        .collect();
    let caption = format!("{}: a row for each channel, with the images that drive it most", context.name(deep));
    finding.figure(&format!("{}-drivers", graph.nodes[deep].name), caption, paint::sheet(&patches, drivers[0].len()));
    Ok(finding)
}

pub fn activations(context: &Context<'_>) -> FindingResult {
    let node = context.layer_or(context.last_map()?)?;
    let name = &*context.graph().nodes[node].name;
    let mut finding = Finding::new(
        "activations",
        "Activations",
        "What a layer gives for an image: a map for each channel, or a bar of colour for each number of a vector. Red is positive, blue \
         negative.",
    );
    for shown in context.each("activations") {
        let values = responses::activation(context.network, node, &shown.image)?;
        let [channels, height, width] = values.shape;
        finding.first(&shown.name, context.says(shown), paint::legible(&context.photo(shown)));
        let scale = Scale::signed(&values);
        let image = match context.graph().nodes[node].shape {
            Shape::Vector(n) => {
                let side = columns(n * n).min(32);
                let mut padded = values.values.clone();
                padded.resize(n.div_ceil(side) * side, 0.0);
                paint::legible(&scale.paint(&Volume::new([1, n.div_ceil(side), side], padded)))
            }
            Shape::Map(_) => {
                let map = |c: usize| scale.paint(&Volume::new([1, height, width], values.plane(c).to_vec()));
                let images: Vec<RgbImage> = (0..channels.min(MAPS)).map(map).collect();
                paint::sheet(&images, columns(images.len()))
            }
        };
        finding.map(
            &format!("{}-{name}", shown.name),
            format!("{}: {}", context.name(node), counted(channels, "channel")),
            image,
            &values,
        );
        finding.scale(scale);
    }
    Ok(finding)
}

pub fn sparsity(context: &Context<'_>) -> FindingResult {
    let loader = context.loader()?;
    let found = context.watched("sparsity", |progress| responses::sparsity(context.network, &loader, progress))?;
    let images = (context.arguments.limit as usize).min(context.test()?.len());
    let mut finding = Finding::new(
        "sparsity",
        "Sparsity by depth",
        "The share of each layer's responses that are exactly zero, over many images. A layer of rectifiers that is silent for the most part \
         answers to few things; a channel that is always silent is dead weight.",
    );
    let points = |of: &dyn Fn(usize) -> f64| (0..found.len()).map(|i| [(i + 1) as f64, 100.0 * of(i)]).collect();
    finding.charts.push(Chart {
        title: format!("Zero responses over {}, in percent", counted(images, "image")),
        x_name: "depth: the layer's row in the table below".into(),
        curves: vec![
            ("zero responses".into(), points(&|i| found[i].zeros)),
            ("channels that never respond".into(), points(&|i| found[i].dead)),
        ],
    });
    let percent = |x: f64| format!("{:.1} %", 100.0 * x);
    finding.tables.push(Table {
        caption: "Layers in order of depth, under the names that --layer takes".into(),
        head: ["depth", "layer", "kind", "shape", "zero", "dead channels"].map(String::from).to_vec(),
        rows: (1..)
            .zip(&found)
            .map(|(depth, s)| {
                let node = &context.graph().nodes[s.node];
                let [name, kind] = [&*node.name, node.op.word()].map(String::from);
                vec![depth.to_string(), name, kind, node.shape.to_string(), percent(s.zeros), percent(s.dead)]
            })
            .collect(),
    });
    let values = found.iter().flat_map(|s| [s.zeros as f32, s.dead as f32]).collect();
    finding.arrays.push(("zeros and dead channels by layer".into(), Volume::new([found.len(), 2, 1], values)));
    Ok(finding)
}

pub fn maximise(context: &Context<'_>) -> FindingResult {
    let mut finding = Finding::new(
        "maximise",
        "Activation maximisation",
        "Images made by gradient ascent from grey noise, so that a class or a channel responds as much as it can, held to what images look \
         like by penalties, blur and jitter (Simonyan et al., 2013; Yosinski et al., 2015). They show what the network looks for, not what it \
         was shown.",
    );
    let graph = context.graph();
    let by_channel = context.arguments.layer.is_some() || context.arguments.channel.is_some();
    let node = if by_channel { context.layer_or(context.last_map()?)? } else { graph.output() };
    let channels = graph.nodes[node].shape.chw()[0];
    let chosen = match (by_channel, context.arguments.channel, context.asked_class()?) {
        (true, Some(channel), _) => vec![channel],
        (false, _, Some(class)) => vec![class],
        (true, None, _) => (0..channels.min(16)).collect(),
        (false, ..) if channels <= 10 => (0..channels).collect(),
        // Of many classes, those that the network sees in the images.
        (false, ..) => context.images.iter().map(|shown| shown.said.asked).collect(),
    };
    let steps = context.arguments.steps.map_or(Maximise::default().steps, |steps| steps as usize);
    let options = Maximise { steps, seed: context.arguments.seed, ..Maximise::default() };
    let total = chosen.len() * steps;
    let mut made = Vec::new();
    context.watched("maximise", |progress| {
        for (i, channel) in chosen.iter().enumerate() {
            let unit = Unit::new(graph, node, *channel, Place::Everywhere)?;
            let mut tick = |done: usize, _: usize| progress(i * steps + done, total);
            made.push(maximise::maximise(
                context.network,
                unit,
                &context.preparation.normalisation,
                options,
                &mut tick,
            )?);
        }
        Ok::<(), ExplainError>(())
    })?;
    for (channel, made) in chosen.into_iter().zip(made) {
        let image = paint::legible(&paint::photo(&made.image, &context.preparation.normalisation));
        let [before, after] = made.values;
        let (name, caption) = if by_channel {
            let layer = context.name(node);
            let file = format!("{}-{channel}", graph.nodes[node].name);
            (file, format!("{layer}, channel {channel}: {before:.2} before, {after:.2} after"))
        } else {
            let output = context.network.values(&[(0, &made.image.values)], &[graph.output()])?.remove(0);
            let class = context.class(channel);
            let said = match context.task {
                Task::Classes => {
                    format!("class {class}: {:.1} % by the network", 100.0 * super::softmax(&output)[channel])
                }
                _ => format!("{class}: {before:.2} before, {after:.2} after"),
            };
            (format!("class-{class}"), said)
        };
        finding.map(&name, caption, image, &made.image);
    }
    Ok(finding)
}

pub fn invert(context: &Context<'_>) -> FindingResult {
    let graph = context.graph();
    let mut finding = Finding::new(
        "invert",
        "Code inversion",
        "An image made so that a layer has the same values for it as for the original (Mahendran and Vedaldi, 2014). What is lost in it, \
         the layer has forgotten.",
    );
    // A layer of each stage: convolutions and linear layers, a few of them.
    let mut nodes: Vec<usize> =
        (0..=graph.output()).filter(|id| matches!(graph.nodes[*id].op, Op::Conv(_) | Op::Linear { .. })).collect();
    nodes.retain(|id| !graph.nodes[*id].auxiliary);
    // Of large images fewer, since each takes a while.
    let most = if context.preparation.shape[1] > 64 { 3 } else { 6 };
    let step = nodes.len().div_ceil(most).max(1);
    nodes = match &context.arguments.layer {
        Some(_) => vec![context.layer_or(0)?],
        None => nodes.into_iter().step_by(step).collect(),
    };
    let steps = context.arguments.steps.map_or(Invert::default().steps, |steps| steps as usize);
    let options = Invert { steps, seed: context.arguments.seed, ..Invert::default() };
    // One image tells enough of many layers.
    let shown = match (&context.images[..], nodes.len()) {
        ([first, ..], 2..) => std::slice::from_ref(first),
        (all, _) => all,
    };
    for shown in shown {
        finding.first(&shown.name, context.says(shown), paint::legible(&context.photo(shown)));
        for node in &nodes {
            let (name, file) = (context.name(*node), &*graph.nodes[*node].name);
            let what = format!("invert {name}");
            let found = context.watched(&what, |progress| {
                invert::invert(
                    context.network,
                    *node,
                    &shown.image,
                    &context.preparation.normalisation,
                    options,
                    progress,
                )
            })?;
            let image = paint::legible(&paint::photo(&found.image, &context.preparation.normalisation));
            let (error, alike) = (100.0 * found.error, found.correlation);
            let caption = format!("from {name}: its values are {error:.1} % off, the images correlate by {alike:.2}");
            finding.map(&format!("{}-{file}", shown.name), caption, image, &found.image);
        }
    }
    Ok(finding)
}

pub fn field(context: &Context<'_>) -> FindingResult {
    let graph = context.graph();
    let node = context.layer_or(context.last_map()?)?;
    let Shape::Map([channels, height, width]) = graph.nodes[node].shape else {
        let found = format!("`{}` gives a vector, which sees the whole image", graph.nodes[node].name);
        return Err(ExplainError::Method {
            method: "a receptive field",
            needs: "needs a feature map",
            found,
            fits: vec![],
        }
        .into());
    };
    let mut finding = Finding::new(
        "field",
        "Receptive field",
        "The green frame is what a unit can see, by the geometry of the layers before it. The map is what it looks at, in the mean over all images \
         (Luo et al., 2016): as a rule a smaller, round part in the middle.",
    );
    let at = context.arguments.at.unwrap_or([height / 2, width / 2]);
    let channel = context.arguments.channel;
    let volumes: Vec<Volume> = match context.data {
        Some(_) => context.many(64)?.into_iter().map(|(image, _)| image).collect(),
        None => context.images.iter().map(|shown| shown.image.clone()).collect(),
    };
    // Without a channel, the one that the images move most.
    let channel = match channel {
        Some(channel) => channel,
        None => {
            let moves = |c: usize| effective(context.network, node, c, at, &volumes[..1], &mut |_, _| {});
            let first = (0..channels.min(32)).find(|c| moves(*c).is_ok_and(|found| found.map.constant().is_none()));
            first.unwrap_or(0)
        }
    };
    let found =
        context.watched("field", |progress| effective(context.network, node, channel, at, &volumes, progress))?;
    let name = context.name(node);
    let field = found.theoretical;
    let ([top, bottom], [left, right]) = (field.rows, field.columns);
    let (high, wide) = (bottom - top, right - left);
    let [y, x] = at;
    if let Some(shown) = context.images.first() {
        let caption = format!(
            "{name}, row {y}, column {x}: it can see {high}x{wide} pixels, rows {top} to {} and columns {left} to {}",
            bottom.max(1) - 1,
            right.max(1) - 1
        );
        finding.figure("theoretical", caption, paint::outlined(&context.photo(shown), field));
    }
    let [tall, broad] = found.size;
    let caption = format!(
        "{name}, channel {channel}: over {} it looks at about {tall:.1}x{broad:.1} pixels; {:.0} % of what it can see has weight",
        counted(volumes.len(), "image"),
        100.0 * found.share
    );
    finding.map("effective", caption, paint::outlined(&paint::strength(&found.map), field), &found.map);
    finding.scale(Scale::strength(&found.map));
    Ok(finding)
}

pub fn invariance(context: &Context<'_>) -> FindingResult {
    let graph = context.graph();
    let nodes = match &context.arguments.layer {
        Some(_) => vec![context.layer_or(0)?],
        None => pooling(graph),
    };
    let volumes: Vec<Volume> = match context.data {
        Some(_) => context.many(100)?.into_iter().map(|(image, _)| image).collect(),
        None => context.images.iter().map(|shown| shown.image.clone()).collect(),
    };
    let mut finding = Finding::new(
        "invariance",
        "Invariance",
        "How much a layer's values change when the image is shifted or turned: the length of the difference as a share of the length of the values, \
         in the mean over the images. Where pooling makes a layer forget the place, its curve lies below that of the layer that it pools.",
    );
    let side = graph.input().chw()[2];
    let shifts: Vec<f64> = (0..=6).map(|i| (i * side.div_ceil(28)) as f64).collect();
    let turns: Vec<f64> = (0..=6).map(|i| f64::from(i) * 10.0).collect();
    for (change, amounts, title, x_name) in [
        (Change::Shift, shifts, "Change by a shift to the right", "pixels"),
        (Change::Turn, turns, "Change by turning", "degrees"),
    ] {
        let found = context.watched("invariance", |progress| {
            let normalisation = &context.preparation.normalisation;
            invariance::invariance(context.network, &nodes, &volumes, normalisation, change, &amounts, progress)
        })?;
        // As many as have colours: the first pools, which see fine detail, and the last.
        let chosen: Vec<usize> = if found.len() > 6 {
            (0..4).chain(found.len() - 2..found.len()).collect()
        } else {
            (0..found.len()).collect()
        };
        let name = |node: usize| context.name(node);
        let curve = |i: &usize| {
            let points = amounts.iter().zip(&found[*i].changes).map(|(amount, change)| [*amount, *change]).collect();
            (name(found[*i].node), points)
        };
        let curves = chosen.iter().map(curve).collect();
        finding.charts.push(Chart { title: title.into(), x_name: x_name.into(), curves });
        let mut head = vec!["layer".to_string()];
        head.extend(amounts.iter().map(|amount| format!("{amount} {x_name}")));
        let row = |i: &usize| {
            let changes = found[*i].changes.iter().map(|change| format!("{change:.2}"));
            std::iter::once(name(found[*i].node)).chain(changes).collect()
        };
        finding.tables.push(Table { caption: title.into(), head, rows: chosen.iter().map(row).collect() });
        let values = found.iter().flat_map(|response| response.changes.iter().map(|x| *x as f32)).collect();
        finding
            .arrays
            .push((format!("{title} by layer and amount"), Volume::new([found.len(), amounts.len(), 1], values)));
    }
    Ok(finding)
}
