//! `convnet data`

use crate::common::{Outcome, print, say};
use crate::describe::describe;
use crate::network::{self, Network, Sizes};
use crate::progress::Bar;
use crate::source::{self, Source};
use convnet::data::augment::Augment;
use convnet::data::{Normalisation, NormalisationKind, Pipeline, Sample, in_common, samples};
use convnet::explain::Volume;
use convnet::report::{paint, png};
use convnet::train::Config;
use convnet::wording::counted;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  convnet data info --data my-images\n  \
                        convnet data preview lenet5 --augment 'crop(pad = 2), rotate(10)'")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Count images and what is known of them, and look for images that are in several parts
    Info {
        #[command(flatten)]
        source: Source,
    },
    /// Write a sheet of images as a network would see them in training
    Preview(Preview),
}

#[derive(clap::Args)]
struct Preview {
    /// The network whose input size and channels the images get
    #[arg(default_value_t = network::usual())]
    model: String,
    #[command(flatten)]
    source: Source,
    /// What to do to images at random, as in `train`: 'crop(pad = 2), flip, mixup(0.2)'
    #[arg(long)]
    augment: Vec<String>,
    /// How images of another size become the network's: auto, pad, resize or crop
    #[arg(long, default_value = "auto")]
    fit: String,
    /// Number of rows, one for each image
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=100))]
    images: u16,
    /// Number of random draws in a row, after the image as it is
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=100))]
    draws: u16,
    /// Random seed of the augmentation, and of the split where the data are in one piece
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to put the sheet
    #[arg(long, default_value = "preview.png")]
    out: PathBuf,
}

pub fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Info { source } => info(&source),
        Command::Preview(preview) => preview.write(),
    }
}

fn info(source: &Source) -> Outcome {
    let opened = source.open(Config::default().seed)?;
    source::say_notes(&opened)?;
    let validation = opened.validation.iter().map(|part| ("validation", part));
    let parts: Vec<_> =
        std::iter::once(("training", &opened.train)).chain(validation).chain([("test", &opened.test)]).collect();
    for (name, part) in &parts {
        describe(name, part.as_ref())?;
    }
    for (name, part) in &parts[1..] {
        let bar = Bar::new(format!("looking for training images in the {name} set"));
        let common = in_common(opened.train.as_ref(), part.as_ref())?;
        drop(bar);
        if let Some((in_part, in_train)) = common.first() {
            let [first, other] = [(part, in_part), (&&opened.train, in_train)].map(|(data, i)| match data.file(*i) {
                Some(path) => path.display().to_string(),
                None => format!("image {i}"),
            });
            let share = format!("{} of {}", common.len(), part.len());
            say(&format!("note: copies of training images in the {name} set: {share}, such as {first} of {other}"))?;
        }
    }
    Ok(())
}

impl Preview {
    fn write(self) -> Outcome {
        let graph = Network::find(&self.model, &Sizes::default())?.graph;
        let opened = self.source.open(self.seed)?;
        source::say_notes(&opened)?;
        let data = opened.train;
        let augment = self.augment.iter().flat_map(|text| crate::options::pieces(text));
        let augment = augment.map(|text| text.parse()).collect::<Result<Vec<Augment>, _>>()?;
        let shape = graph.input().chw();
        let bar = Bar::new("looking at the training images");
        let watched = bar.watch(&data);
        let pipeline =
            Pipeline::training(shape, self.fit.parse()?, augment, NormalisationKind::Auto, watched.as_ref(), true)?;
        drop(bar);
        let step = (data.len() / usize::from(self.images)).max(1);
        let images: Vec<usize> = (0..data.len()).step_by(step).take(self.images.into()).collect();
        let samples = samples(data.as_ref(), &images, &pipeline, self.draws.into(), self.seed)?;
        // Values from 0 to 1.
        let plain = Normalisation { mean: vec![0.0; shape[0]], std: vec![1.0; shape[0]] };
        let painted = |Sample { image, mask }: Sample| {
            let photo = paint::photo(&Volume::new(image.shape, image.values), &plain);
            mask.map_or_else(|| photo.clone(), |mask| paint::tinted(&photo, &mask))
        };
        let photos: Vec<_> = samples.into_iter().map(painted).collect();
        let sheet = paint::sheet(&photos, usize::from(self.draws) + 1);
        let written = convnet::atomic_file::write(&self.out, &png(&sheet));
        written.map_err(|error| format!("cannot write {}: {error}", self.out.display()))?;
        let mixes = pipeline.augment.iter().any(Augment::mixes);
        print(&format!(
            "{}: {} in rows, each as it is and in {} with seed {}{}",
            self.out.display(),
            counted(images.len(), "image"),
            counted(self.draws.into(), "random draw"),
            self.seed,
            match (mixes, images.len()) {
                (false, _) => "",
                (true, 1) => "; an image by itself has no other to be mixed with",
                (true, _) =>
                    "; images are mixed with others of their column, as they are with others of their batch in training",
            }
        ))?;
        if pipeline.augment.is_empty() {
            say("note: without --augment all draws are the image as it is")?;
        }
        Ok(())
    }
}
