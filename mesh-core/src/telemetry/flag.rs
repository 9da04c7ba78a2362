//! Envoy's response flags.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        /// Why the proxy answered as it did, in Envoy's letters
        /// (Envoy access-log documentation, `%RESPONSE_FLAGS%`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResponseFlag {
            $($(#[$doc])* $name,)*
        }

        impl ResponseFlag {
            /// Every flag, in Envoy's order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            const fn bit(self) -> u32 {
                match self { $(Self::$name => 1 << $bit,)* }
            }

            /// Envoy's letters.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

flags! {
    /// Failed local health check.
    FailedLocalHealthCheck = 0, "LH";
    /// No healthy upstream.
    NoHealthyUpstream = 1, "UH";
    /// The upstream did not answer in time.
    UpstreamRequestTimeout = 2, "UT";
    /// The stream was reset locally.
    LocalReset = 3, "LR";
    /// The upstream reset the stream.
    UpstreamRemoteReset = 4, "UR";
    /// The connection to the upstream failed.
    UpstreamConnectionFailure = 5, "UF";
    /// The upstream closed the connection.
    UpstreamConnectionTermination = 6, "UC";
    /// A breaker is open.
    UpstreamOverflow = 7, "UO";
    /// No route.
    NoRoute = 8, "NR";
    /// A delay was injected.
    DelayInjected = 9, "DI";
    /// An abort was injected.
    FaultInjected = 10, "FI";
    /// Rejected by a rate limit.
    RateLimited = 11, "RL";
    /// Denied by an external authorization service.
    UnauthorizedExternal = 12, "UAEX";
    /// The rate limit service failed.
    RateLimitServiceError = 13, "RLSE";
    /// The downstream closed the connection.
    DownstreamConnectionTermination = 14, "DC";
    /// The retry limit was reached.
    UpstreamRetryLimitExceeded = 15, "URX";
    /// The stream was idle for too long.
    StreamIdleTimeout = 16, "SI";
    /// The downstream's request broke the protocol.
    DownstreamProtocolError = 17, "DPE";
    /// The upstream's answer broke the protocol.
    UpstreamProtocolError = 18, "UPE";
    /// The stream lived too long.
    UpstreamMaxStreamDuration = 19, "UMSDR";
    /// No cluster of that name.
    NoClusterFound = 20, "NC";
    /// Shed by overload protection.
    OverloadManager = 21, "OM";
}

/// A set of [`ResponseFlag`]s. Printed as Envoy prints it: `URX,UF`, or `-` when empty.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ResponseFlags(u32);

impl ResponseFlags {
    /// No flag.
    pub const NONE: Self = Self(0);

    /// Adds `flag`.
    pub fn insert(&mut self, flag: ResponseFlag) {
        self.0 |= flag.bit();
    }

    /// With `flag` added.
    #[must_use]
    pub const fn with(self, flag: ResponseFlag) -> Self {
        Self(self.0 | flag.bit())
    }

    /// Whether `flag` is there.
    pub const fn contains(self, flag: ResponseFlag) -> bool {
        self.0 & flag.bit() != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flags, in Envoy's order.
    pub fn iter(self) -> impl Iterator<Item = ResponseFlag> {
        ResponseFlag::ALL
            .iter()
            .copied()
            .filter(move |flag| self.contains(*flag))
    }
}

impl From<ResponseFlag> for ResponseFlags {
    fn from(flag: ResponseFlag) -> Self {
        Self::NONE.with(flag)
    }
}

impl fmt::Display for ResponseFlags {
    /// Retry exhaustion first, as Envoy's logs show it (`URX,UF`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        let exhausted = ResponseFlag::UpstreamRetryLimitExceeded;
        let mut first = true;
        let rest = self.iter().filter(|flag| *flag != exhausted);
        for flag in self
            .contains(exhausted)
            .then_some(exhausted)
            .into_iter()
            .chain(rest)
        {
            if !first {
                f.write_str(",")?;
            }
            first = false;
            f.write_str(flag.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_envoy_does() {
        assert_eq!(ResponseFlags::NONE.to_string(), "-");
        let flags = ResponseFlags::from(ResponseFlag::UpstreamConnectionFailure)
            .with(ResponseFlag::UpstreamRetryLimitExceeded);
        assert_eq!(flags.to_string(), "URX,UF");
    }

    #[test]
    fn every_flag_has_its_own_bit() {
        let mut seen = ResponseFlags::NONE;
        for flag in ResponseFlag::ALL {
            assert!(!seen.contains(*flag), "{flag:?}");
            seen.insert(*flag);
        }
    }
}
