//! Maps over the image: what an answer depends on.

use super::Method;
use super::context::{Context, Shown};
use convnet::explain::backprop::{Rule, reconstruct};
use convnet::explain::grid::Grid;
use convnet::explain::occlusion::{self, Occlusion};
use convnet::explain::saliency::{
    IntegrationPath, SmoothGrad, gradient, gradient_times_input, integrated_gradients, smooth_grad,
};
use convnet::explain::{Volume, cam};
use convnet::report::Finding;
use convnet::report::paint::{self, Scale};
use convnet::wording::counted;
use std::error::Error;

type FindingResult = Result<Finding, Box<dyn Error>>;

/// Adds the image and a map `[C, H, W]` of it: signed, as the sum over colours, and absolute, as the largest of them.
fn both(finding: &mut Finding, context: &Context<'_>, shown: &Shown, map: &Volume, what: &str) {
    let (name, photo) = (&shown.name, context.photo(shown));
    finding.first(name, context.says(shown), paint::legible(&photo));
    let (summed, flat) = (map.summed(), map.flattened());
    let image = paint::legible(&paint::signed(&summed));
    finding.map(&format!("{name}-signed"), format!("{what}: red speaks for it, blue against it"), image, map);
    finding.scale(Scale::signed(&summed));
    let image = paint::legible(&paint::over(&photo, &flat));
    finding.figure(&format!("{name}-absolute"), format!("{what}: how much each pixel matters, over the image"), image);
    finding.scale(Scale::strength(&flat));
}

/// What there is to say of a method that goes by gradients.
fn introduced(method: Method) -> Finding {
    match method {
        Method::Gradient => Finding::new(
            "gradient",
            "Gradient",
            "How much the answer would change if a pixel did (Simonyan et al., 2013). It shows what the network is sensitive to, which is \
             not quite what it has seen.",
        ),
        Method::GradientInput => Finding::new(
            "gradient-input",
            "Gradient times input",
            "Each pixel's share in the answer, were the network linear around this image (Shrikumar et al., 2016). What is zero in the \
             network's eyes, grey after normalisation, gets no share.",
        ),
        Method::SmoothGrad => Finding::new(
            "smooth-grad",
            "SmoothGrad",
            "The mean gradient over 32 copies of the image with noise (Smilkov et al., 2017): what stays is less ragged than one gradient.",
        ),
        _ => Finding::new(
            "integrated",
            "Integrated gradients",
            "What each pixel adds to the answer on the way from a black image to this one (Sundararajan et al., 2017). The shares add up to the \
             difference between both answers.",
        ),
    }
}

pub fn gradients(context: &Context<'_>, method: Method) -> FindingResult {
    let mut finding = introduced(method);
    let images = match method {
        Method::Gradient | Method::GradientInput => context.each(&finding.method),
        // Each image has a bar of its own.
        _ => Box::new(context.images.iter()),
    };
    for shown in images {
        let (unit, what) = context.unit(shown)?;
        let (network, image) = (context.network, &shown.image);
        let map = match method {
            Method::Gradient => gradient(network, unit, image)?,
            Method::GradientInput => gradient_times_input(network, unit, image)?,
            Method::SmoothGrad => {
                let options = SmoothGrad { seed: context.arguments.seed, ..SmoothGrad::default() };
                context.watched("smooth-grad", |progress| smooth_grad(network, unit, image, options, progress))?
            }
            _ => {
                let black = Volume::black(image.shape, &context.preparation.normalisation);
                let steps = context.arguments.steps.map_or(IntegrationPath::default().steps, |steps| steps as usize);
                let path = IntegrationPath { steps, ..IntegrationPath::default() };
                let found = context.watched("integrated", |progress| {
                    integrated_gradients(network, unit, image, &black, path, progress)
                })?;
                if found.gap() > path.tolerance {
                    let gap = 100.0 * found.gap();
                    finding.notes.push(format!(
                        "{}: after {} the shares are {gap:.1} % off the difference",
                        shown.name,
                        counted(found.steps, "step")
                    ));
                }
                found.map
            }
        };
        both(&mut finding, context, shown, &map, &what);
    }
    Ok(finding)
}

pub fn backward(context: &Context<'_>, rule: Rule) -> FindingResult {
    let mut finding = match rule {
        Rule::Deconvnet => Finding::new(
            "deconvnet",
            "Deconvnet",
            "What in the image made the strongest unit of a channel respond (Zeiler and Fergus, 2013): its signal goes back through \
             the switches of max-pools, rectifiers and transposed filters. Beside it guided backpropagation of the same unit.",
        ),
        Rule::Guided => Finding::new(
            "guided",
            "Guided backpropagation",
            "Like the deconvnet, but the signal passes a rectifier only where the image had opened it (Springenberg et al., 2014). Clear \
             images; they tell more about the image than about the class.",
        ),
    };
    for shown in context.each(&finding.method) {
        let (unit, what) = context.neuron(shown, context.last_map()?)?;
        let name = &shown.name;
        finding.first(name, context.says(shown), paint::legible(&context.photo(shown)));
        let rules = match rule {
            Rule::Deconvnet => vec![(rule, "deconvnet"), (Rule::Guided, "guided")],
            Rule::Guided => vec![(rule, "guided")],
        };
        for (rule, word) in rules {
            let map = reconstruct(context.network, unit, &shown.image, rule)?;
            let image = match map.shape[0] {
                3 => paint::centred(&map),
                _ => paint::signed(&map.summed()),
            };
            finding.map(&format!("{name}-{word}"), format!("{what}, {word}"), paint::legible(&image), &map);
            if map.shape[0] != 3 {
                finding.scale(Scale::signed(&map.summed()));
            }
        }
    }
    Ok(finding)
}

pub fn grad_cam(context: &Context<'_>) -> FindingResult {
    let node = context.layer_or(context.last_map()?)?;
    let layer = context.name(node);
    let mut finding = Finding::new(
        "grad-cam",
        "Grad-CAM",
        "Where a layer has seen what speaks for the class (Selvaraju et al., 2016): its channels, weighted by how much the class leans on \
         each. Coarse, since it has the layer's resolution: each of its values is drawn where it is centred, and what lies between is interpolated.",
    );
    let grid = Grid::new(context.graph(), node);
    for shown in context.each("grad-cam") {
        let (unit, what) = context.output(shown)?;
        let map = cam::grad_cam(context.network, node, unit, &shown.image)?;
        let photo = context.photo(shown);
        finding.first(&shown.name, context.says(shown), paint::legible(&photo));
        let spread = grid.spread(&map);
        let image = paint::legible(&paint::over(&photo, &spread));
        let caption = format!("{what}, at {layer}: bright is where it was seen");
        finding.map(&format!("{}-cam", shown.name), caption, image, &map);
        finding.scale(Scale::strength(&spread));
    }
    Ok(finding)
}

pub fn occlusion(context: &Context<'_>) -> FindingResult {
    let mut finding = Finding::new(
        "occlusion",
        "Occlusion",
        "A square is moved over the image, and the answer is asked each time (Zeiler and Fergus, 2013). Red: hiding this makes the answer \
         weaker; blue: stronger. No gradient is involved.",
    );
    let [channels, height, width] = context.graph().input().chw();
    let patch = context.arguments.patch.map_or((height.min(width) / 14).max(4), |patch| patch as usize);
    let stride = context.arguments.stride.map_or((patch / 2).max(1), |stride| stride as usize);
    // With what images have around them: black digits' ground, or grey, which is the mean of photographs.
    let cover = (0..channels).map(|c| if channels == 1 { context.preparation.normalisation.range(c)[0] } else { 0.0 });
    let options = Occlusion { patch, stride, cover: cover.collect() };
    for shown in &context.images {
        let (unit, what) = context.unit(shown)?;
        let map = context.watched("occlusion", |progress| {
            occlusion::occlusion(context.network, unit, &shown.image, &options, progress)
        })?;
        finding.first(&shown.name, context.says(shown), paint::legible(&context.photo(shown)));
        let caption = format!("{what}, with a square of {patch}x{patch} pixels every {}", counted(stride, "pixel"));
        finding.map(&format!("{}-occlusion", shown.name), caption, paint::legible(&paint::signed(&map)), &map);
        finding.scale(Scale::signed(&map));
    }
    Ok(finding)
}
