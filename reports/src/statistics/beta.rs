//! The regularized incomplete beta function, of which Student's distribution is made.

/// Iₓ(a, b), by its continued fraction (DLMF 8.17.22), evaluated by Lentz's method as modified by Thompson and Barnett.
pub(super) fn regularized(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges quickly on one side only; the other is its mirror (DLMF 8.17.4).
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - regularized(1.0 - x, b, a);
    }
    let ln_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
        + a * libm::log(x)
        + b * libm::log(1.0 - x);
    libm::exp(ln_front) / a / fraction(x, a, b)
}

/// `1 + d₁/(1 + d₂/(1 + …))`.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut value = 1.0;
    let (mut c, mut d) = (1.0, 0.0);
    for step in 1..500_u32 {
        let m = f64::from(step / 2);
        let numerator = if step % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        d = 1.0 / away_from_zero(1.0 + numerator * d);
        c = away_from_zero(1.0 + numerator / c);
        value *= c * d;
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_has_a_closed_form() {
        for x in [0.0, 0.01, 0.3, 0.5, 0.9, 1.0] {
            // I(1, b) = 1 − (1 − x)^b; I(a, 1) = x^a; I(½, ½) = 2/π · asin √x.
            assert!((regularized(x, 1.0, 3.0) - (1.0 - (1.0 - x).powi(3))).abs() < 1e-12);
            assert!((regularized(x, 4.0, 1.0) - x.powi(4)).abs() < 1e-12);
            let arc = 2.0 / std::f64::consts::PI * libm::asin(x.sqrt());
            assert!((regularized(x, 0.5, 0.5) - arc).abs() < 1e-12, "{x}");
        }
    }
}
