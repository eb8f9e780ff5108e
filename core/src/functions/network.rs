//! Addresses and networks of IPv4 and IPv6, as the functions about them understand them.
//! An IPv4 address within IPv6 (`::ffff:10.0.0.1`) is that IPv4 address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the address that a text is.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Returns whether an address can only be reached from within: private (RFC 1918, RFC 4193),
/// loopback or link-local.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

/// The addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    first: IpAddr,
    n_bits: u32,
}

impl Network {
    /// Returns the network of `n_bits` that an address lies in, if addresses have so many.
    pub(super) fn of(address: IpAddr, n_bits: u32) -> Option<Self> {
        let first = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(n_bits)?).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(n_bits)?).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Some(Self { first, n_bits })
    }

    /// Returns the network that a text is: `10.0.0.0/8`, or an address, which is a network of one.
    /// Bits after the prefix do not count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Some((written, n_bits)) = text.split_once('/') else {
            let address = address(text)?;
            return Self::of(address, if address.is_ipv4() { 32 } else { 128 });
        };
        let is_number = n_bits.bytes().all(|byte| byte.is_ascii_digit());
        let n_bits = n_bits.parse().ok().filter(|_| is_number)?;
        let written: IpAddr = written.parse().ok()?;
        let network = Self::of(written, n_bits)?;
        // A network of IPv4 addresses may be written as one of IPv6.
        match (network.first.to_canonical(), network.first) {
            (IpAddr::V4(first), IpAddr::V6(_)) if n_bits >= 96 => {
                Self::of(IpAddr::V4(first), n_bits - 96)
            }
            _ => Some(network),
        }
    }

    /// Returns how many bits its addresses have in common.
    pub(crate) fn n_bits(&self) -> u32 {
        self.n_bits
    }

    /// Tells whether an address lies in the network.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && Self::of(address, self.n_bits) == Some(*self)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.n_bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(network: &str, text: &str) -> bool {
        Network::parse(network).unwrap().contains(address(text).unwrap())
    }

    #[test]
    fn networks_contain_addresses_of_their_family() {
        assert!(contains("10.0.0.0/8", "10.255.1.2"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("10.1.2.3", "10.1.2.3") && !contains("10.1.2.3", "10.1.2.4"));
        assert!(contains("0.0.0.0/0", "255.255.255.255") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1") && !contains("::/0", "10.0.0.1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"), "IPv4 within IPv6");
        assert!(contains("::ffff:10.0.0.0/104", "10.9.9.9"));
        assert!(contains("10.9.9.9/8", "10.0.0.1"), "bits after the prefix do not count");
    }

    #[test]
    fn what_is_no_network() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.256",
            "010.0.0.1",
            "10.0.0.0/-1",
            " 10.0.0.0/8",
            "fe80::1%eth0",
            "host",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn private_addresses() {
        for text in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "::ffff:192.168.1.1",
        ] {
            assert!(is_private(address(text).unwrap()), "{text}");
        }
        for text in
            ["172.32.0.1", "11.0.0.1", "100.64.0.1", "8.8.8.8", "2001:db8::1", "::ffff:8.8.8.8"]
        {
            assert!(!is_private(address(text).unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_network_contains_what_shares_its_bits(a: u128, b: u128, n_bits in 0_u32..=128) {
            let shares = (0..n_bits).all(|bit| (a ^ b) >> (127 - bit) & 1 == 0);
            let (a, b) = (IpAddr::V6(Ipv6Addr::from_bits(a)), IpAddr::V6(Ipv6Addr::from_bits(b)));
            prop_assert_eq!(Network::of(a, n_bits).unwrap().contains(b), shares);
        }

        #[test]
        fn what_is_written_is_read(bits: u32, n_bits in 0_u32..=32) {
            let network = Network::of(IpAddr::V4(Ipv4Addr::from_bits(bits)), n_bits).unwrap();
            prop_assert_eq!(Network::parse(&network.to_string()), Some(network));
        }

        #[test]
        fn no_text_breaks_it(text: String) {
            let _network = Network::parse(&text);
        }
    }
}
