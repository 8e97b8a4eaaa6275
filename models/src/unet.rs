//! U-Net (Ronneberger, Fischer and Brox, 2015: Convolutional networks for biomedical image segmentation).
//!
//! Each level keeps its map beside what the deeper level makes of it. Both networks have the same names: `down1` to `down4`, `bottom`, `up4` to
//! `up1` for what enlarges a map, and `merge4` to `merge1` for what follows where the two come together.

use convnet::prelude::*;

cnn! {
    block double(out) {
        conv(out, kernel = 3); relu;
        conv(out, kernel = 3); relu;
    }

    /// The network of the paper (figure 1): convolutions without padding, so that the mask is that of the middle of the image, 388x388 of
    /// 572x572, and maps are cropped before they are joined. Dropout stands at the end of the contracting path (section 3.1).
    #[export(unet)]
    pub struct UNet<const CLASSES: usize = 2>: [1, 572, 572] -> [CLASSES, 388, 388] {
        down1: double(64);
        concat {
            crop(88);
            {
                max_pool(2);
                down2: double(128);
                concat {
                    crop(40);
                    {
                        max_pool(2);
                        down3: double(256);
                        concat {
                            crop(16);
                            {
                                max_pool(2);
                                down4: double(512);
                                dropout;
                                concat {
                                    crop(4);
                                    {
                                        max_pool(2);
                                        bottom: double(1024);
                                        dropout;
                                        up4: conv_transpose(512, kernel = 2, stride = 2);
                                    }
                                }
                                merge4: double(512);
                                up3: conv_transpose(256, kernel = 2, stride = 2);
                            }
                        }
                        merge3: double(256);
                        up2: conv_transpose(128, kernel = 2, stride = 2);
                    }
                }
                merge2: double(128);
                up1: conv_transpose(64, kernel = 2, stride = 2);
            }
        }
        merge1: double(64);
        // A pixel's class is told by what is around it, and the paper's tiles need not be seen as a whole.
        #[allow(narrow_receptive_field)]
        classify: conv(CLASSES, kernel = 1);
        assert params == 31_030_658, macs == 150_428_424_448;
    }
}

cnn! {
    block double(out) {
        conv(out, kernel = 3, pad = 1, bias = false); batch_norm; relu;
        conv(out, kernel = 3, pad = 1, bias = false); batch_norm; relu;
    }

    /// The form in which it is mostly used today: padding keeps the size, so that nothing is cropped and the mask is as large as the image,
    /// each convolution is normalised, which takes the place of dropout and of biases, and images are in colour. Heights and widths that
    /// are multiples of 16 fit.
    #[export(unet_padded)]
    pub struct UNetPadded<const CLASSES: usize = 2>: [3, 256, 256] -> [CLASSES, 256, 256] {
        down1: double(64);
        concat {
            identity;
            {
                max_pool(2);
                down2: double(128);
                concat {
                    identity;
                    {
                        max_pool(2);
                        down3: double(256);
                        concat {
                            identity;
                            {
                                max_pool(2);
                                down4: double(512);
                                concat {
                                    identity;
                                    {
                                        max_pool(2);
                                        bottom: double(1024);
                                        up4: conv_transpose(512, kernel = 2, stride = 2);
                                    }
                                }
                                merge4: double(512);
                                up3: conv_transpose(256, kernel = 2, stride = 2);
                            }
                        }
                        merge3: double(256);
                        up2: conv_transpose(128, kernel = 2, stride = 2);
                    }
                }
                merge2: double(128);
                up1: conv_transpose(64, kernel = 2, stride = 2);
            }
        }
        merge1: double(64);
        // What is looked for is smaller than the image: a pixel need not see all of it.
        #[allow(narrow_receptive_field)]
        classify: conv(CLASSES, kernel = 1);
        assert params == 31_037_698, macs == 48_171_581_440;
    }
}
