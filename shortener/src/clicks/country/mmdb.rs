//! Writes small files in the format of <https://maxmind.github.io/MaxMind-DB/>, for tests.

use std::net::Ipv6Addr;

const UNUSED: u32 = u32::MAX;
/// Marks a reference to the data section while the number of nodes is not known.
const DATA: u32 = 1 << 31;

/// A tree for IPv6 with 24-bit records, the IPv4 addresses below `::/96`.
pub(super) fn write(networks: &[(&str, u32, Vec<u8>)]) -> Vec<u8> {
    let mut nodes = vec![[UNUSED; 2]];
    let mut data: Vec<u8> = Vec::new();
    for (address, prefix, record) in networks {
        let bits = address.parse::<Ipv6Addr>().unwrap().to_bits();
        let side = |depth: u32| usize::from(bits >> (127 - depth) & 1 == 1);
        let mut node = 0;
        for depth in 0..prefix - 1 {
            if nodes[node][side(depth)] == UNUSED {
                nodes[node][side(depth)] = u32::try_from(nodes.len()).unwrap();
                nodes.push([UNUSED; 2]);
            }
            node = nodes[node][side(depth)] as usize;
        }
        nodes[node][side(prefix - 1)] = DATA | u32::try_from(data.len()).unwrap();
        data.extend(record);
    }

    let count = u32::try_from(nodes.len()).unwrap();
    let mut file = Vec::new();
    for record in nodes.into_iter().flatten() {
        let value = match record {
            UNUSED => count,
            // 16 zero bytes stand between the tree and the data.
            record if record & DATA != 0 => count + 16 + (record & !DATA),
            node => node,
        };
        file.extend(&value.to_be_bytes()[1..]);
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(metadata(count));
    file
}

fn metadata(node_count: u32) -> Vec<u8> {
    map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", vec![4, 2, 0x65, 0, 0, 0]),
        ("database_type", string("Test")),
        ("description", map(&[])),
        ("ip_version", number(5, 6)),
        ("languages", vec![0, 4]),
        ("node_count", number(6, node_count)),
        ("record_size", number(5, 24)),
    ])
}

pub(super) fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![control(7, entries.len())];
    for (key, value) in entries {
        bytes.extend(string(key));
        bytes.extend(value);
    }
    bytes
}

pub(super) fn string(text: &str) -> Vec<u8> {
    if text.len() < 29 {
        [&[control(2, text.len())], text.as_bytes()].concat()
    } else {
        let rest = u8::try_from(text.len() - 29).unwrap();
        [&[control(2, 29), rest], text.as_bytes()].concat()
    }
}

/// An unsigned number of a type (5: 16 bits, 6: 32 bits) without leading zeros.
fn number(kind: u8, value: u32) -> Vec<u8> {
    let bytes: Vec<u8> = value
        .to_be_bytes()
        .into_iter()
        .skip_while(|byte| *byte == 0)
        .collect();
    [&[control(kind, bytes.len())], &bytes[..]].concat()
}

fn control(kind: u8, size: usize) -> u8 {
    kind << 5 | u8::try_from(size).unwrap()
}
