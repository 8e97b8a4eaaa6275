//! The same answer by ONNX Runtime from Rust: `ortdigits MODEL.onnx IMAGE`; ORT_DYLIB_PATH names the library.
use ort::session::Session;
use ort::value::Tensor;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let environment = ort::init().build()?;
    let mut session = Session::builder(&environment)?.with_intra_threads(2)?.commit_from_file(&args[1])?;
    let image = image::open(&args[2])?.to_luma8();
    let pixels: Vec<f32> = image.pixels().map(|p| (f32::from(p.0[0]) / 255.0 - 0.13066047) / 0.3081078).collect();
    let outputs = session.run(ort::inputs![Tensor::from_array(([1usize, 1, 28, 28], pixels))?])?;
    let (_, logits) = outputs[0].try_extract_tensor::<f32>()?;
    let sum: f32 = logits.iter().map(|x| x.exp()).sum();
    let (class, logit) = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    println!("{}: {class} ({:.1} %)", args[2], logit.exp() / sum * 100.0);
    Ok(())
}
