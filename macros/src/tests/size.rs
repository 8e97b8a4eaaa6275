//! How long expanding takes, and how much it makes.

use crate::expand;

fn resnet(block: &str, blocks: [usize; 4]) -> String {
    let stage = |i: usize, out: usize, stride: usize| {
        format!("layer{i}: {{ {block}({out}, stride = {stride}); repeat {} {{ {block}({out}); }} }}", blocks[i - 1] - 1)
    };
    format!(
        "block basic(out, stride = 1) {{
            residual {{
                conv1: conv(out, 3, stride, pad = 1, bias = false); bn1: batch_norm; relu;
                conv2: conv(out, 3, pad = 1, bias = false); bn2: batch_norm;
            }} shortcut if stride != 1 || channels != out {{
                downsample: {{ conv(out, 1, stride, bias = false); batch_norm; }}
            }}
            relu;
        }}
        block bottleneck(wide, stride = 1) {{
            residual {{
                conv1: conv(wide, 1, bias = false); bn1: batch_norm; relu;
                conv2: conv(wide, 3, stride, pad = 1, bias = false); bn2: batch_norm; relu;
                conv3: conv(4 * wide, 1, bias = false); bn3: batch_norm;
            }} shortcut if stride != 1 || channels != 4 * wide {{
                downsample: {{ conv(4 * wide, 1, stride, bias = false); batch_norm; }}
            }}
            relu;
        }}
        struct N: [3, 224, 224] -> [1000] {{
            conv1: conv(64, 7, stride = 2, pad = 3, bias = false); bn1: batch_norm; relu; max_pool(3, stride = 2, pad = 1);
            {} {} {} {}
            global_avg_pool; fc: linear(1000);
        }}",
        stage(1, 64, 1),
        stage(2, 128, 2),
        stage(3, 256, 2),
        stage(4, 512, 2)
    )
}

/// `benches/compile_time.sh` shows the time; the budget of a release build is 0.2 s.
#[test]
fn expansion_of_resnet152() {
    let tokens: proc_macro2::TokenStream = resnet("bottleneck", [3, 8, 36, 3]).parse().unwrap();
    let start = std::time::Instant::now();
    let code = expand(tokens).to_string();
    println!("expansion of ResNet-152: {:.3} s, {} kB of code", start.elapsed().as_secs_f64(), code.len() / 1000);
    assert!(!code.contains("compile_error"));
    // Thirty-six equal blocks cost no more structs than one.
    assert!(code.matches("struct N").count() < 60, "{}", code.matches("struct N").count());
}
