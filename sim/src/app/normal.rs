//! The inverse of the standard normal distribution function.
//!
//! Algorithm AS 241, routine PPND16 (Wichura, "The percentage points of the
//! normal distribution", Applied Statistics 37, 1988): three rational
//! functions, relative accuracy about 1e-16. An inverse costs one uniform
//! draw per normal draw, and is monotone in it, so that the same stream under
//! two distributions gives slow and fast draws at the same places.

/// Around the median, in `r = 0.180625 - q²`.
const CENTRE: [(f64, f64); 8] = [
    (3.387_132_872_796_366_5, 1.0),
    (1.331_416_678_917_843_8e2, 4.231_333_070_160_091e1),
    (1.971_590_950_306_551_3e3, 6.871_870_074_920_579e2),
    (1.373_169_376_550_946e4, 5.394_196_021_424_751e3),
    (4.592_195_393_154_987e4, 2.121_379_430_158_659_7e4),
    (6.726_577_092_700_87e4, 3.930_789_580_009_271e4),
    (3.343_057_558_358_813e4, 2.872_908_573_572_194_3e4),
    (2.509_080_928_730_122_7e3, 5.226_495_278_852_854e3),
];

/// Further out, in `r = sqrt(-ln p) - 1.6`.
const SHOULDER: [(f64, f64); 8] = [
    (1.423_437_110_749_683_5, 1.0),
    (4.630_337_846_156_546, 2.053_191_626_637_759),
    (5.769_497_221_460_691, 1.676_384_830_183_803_8),
    (3.647_848_324_763_204_5, 6.897_673_349_851e-1),
    (1.270_458_252_452_368_4, 1.481_039_764_274_800_8e-1),
    (2.417_807_251_774_506e-1, 1.519_866_656_361_645_7e-2),
    (2.272_384_498_926_918_4e-2, 5.475_938_084_995_345e-4),
    (7.745_450_142_783_414e-4, 1.050_750_071_644_416_9e-9),
];

/// Far out, in `r = sqrt(-ln p) - 5`.
const TAIL: [(f64, f64); 8] = [
    (6.657_904_643_501_103, 1.0),
    (5.463_784_911_164_114, 5.998_322_065_558_879e-1),
    (1.784_826_539_917_291_3, 1.369_298_809_227_358e-1),
    (2.965_605_718_285_048_7e-1, 1.487_536_129_085_061_5e-2),
    (2.653_218_952_657_612_4e-2, 7.868_691_311_456_133e-4),
    (1.242_660_947_388_078_4e-3, 1.846_318_317_510_054_8e-5),
    (2.711_555_568_743_487_6e-5, 1.421_511_758_316_446e-7),
    (2.010_334_399_292_288_1e-7, 2.044_263_103_389_939_8e-15),
];

/// Quotient of two polynomials in `r`; coefficients by rising power.
fn rational(coefficients: &[(f64, f64); 8], r: f64) -> f64 {
    let (above, below) = coefficients
        .iter()
        .rev()
        .fold((0.0, 0.0), |(n, d), (a, b)| (n * r + a, d * r + b));
    above / below
}

/// The z with `P(Z <= z) = p`, for `p` in (0, 1).
pub(super) fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * rational(&CENTRE, 0.180_625 - q * q);
    }
    let outer = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(outer));
    let z = if r <= 5.0 {
        rational(&SHOULDER, r - 1.6)
    } else {
        rational(&TAIL, r - 5.0)
    };
    if q < 0.0 { -z } else { z }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_percentage_points() {
        // Checked against tables; the first three are the test values printed in AS 241.
        for (p, z) in [
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_813_5),
            (1e-20, -9.262_340_089_798_408),
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.99, 2.326_347_874_040_840_8),
        ] {
            let found = normal_quantile(p);
            assert!((found - z).abs() <= 1e-14 * z.abs(), "{p}: {found}");
        }
    }

    #[test]
    fn it_undoes_the_distribution_function() {
        // Phi(z) = erfc(-z / sqrt 2) / 2, from libm, an independent implementation.
        for i in 1..2000 {
            let p = f64::from(i) / 2000.0;
            let back = 0.5 * libm::erfc(-normal_quantile(p) / std::f64::consts::SQRT_2);
            assert!((back - p).abs() < 1e-15, "{p}: {back}");
        }
    }
}
