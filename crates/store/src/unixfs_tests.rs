//! Names made by the reference importer (`ipfs-unixfs-importer`, 256 KiB chunks, 174 links, single
//! leaf reduced to itself) for files whose byte `i` is `i % 251`.

use proptest::prelude::*;

use super::*;

const CHUNK: usize = CHUNK_BYTES;

/// Size; then CID and size of all blocks for each of [`PROFILES`].
type Golden = (usize, [(&'static str, u64); 4]);

const PROFILES: [Profile; 4] = [
    Profile::DEFAULT,
    Profile::V1,
    Profile {
        version: Version::V1,
        raw_leaves: false,
    },
    Profile {
        version: Version::V0,
        raw_leaves: true,
    },
];

#[rustfmt::skip]
const GOLDEN: [Golden; 10] = [
    (0, [
        ("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", 6),
        ("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 0),
        ("bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y", 6),
        ("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 0),
    ]),
    (1, [
        ("QmS9JArPwa55ePgDnyg6TzX24mYTS1b1vLqWNebyVotKxQ", 9),
        ("bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu", 1),
        ("bafybeibyqyrkx66boqbutl5oktknecxgnl43cipcls3knonfmi727rdtnu", 9),
        ("bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu", 1),
    ]),
    (6, [
        ("QmdRpyXT4mwhBZkws5EnGRVpVS8uG8MZQb4XZKVSGmWzhH", 14),
        ("bafkreiax5cg3db5p2ywbnzo6x47gkj6nabv4aev4sc2rvaim3agc2ui7im", 6),
        ("bafybeihaglimstnbquvejaq2agms6lww7glxgoqquah7gkf2kinqrpkubq", 14),
        ("bafkreiax5cg3db5p2ywbnzo6x47gkj6nabv4aev4sc2rvaim3agc2ui7im", 6),
    ]),
    (CHUNK - 1, [
        ("QmRfm83kqBpGJbGxJg1en9hpwq8eNnP4E2Dj8K73F4m983", 262157),
        ("bafkreiagptg6ztonoojy4wflk3wwusl5xt4vcy6uult4wa7oemsjtxhjsu", 262143),
        ("bafybeibrpbmny4j6la42bnrvyqkzweuyrblxky3pxi3yetvtp4w3qsilba", 262157),
        ("bafkreiagptg6ztonoojy4wflk3wwusl5xt4vcy6uult4wa7oemsjtxhjsu", 262143),
    ]),
    (CHUNK, [
        ("QmeqfRyS3vkku7n6krqC3DgGMex3x2sCpSeKMDmrG13QQq", 262158),
        ("bafkreibruh455iawsviqslif5c7uurdcfdemh22mtnytyzvnzn75kpejxy", 262144),
        ("bafybeihvfgtilxh7thaf7o5zmjiissdd4swdao3qfltyhm62x2v3ubyasi", 262158),
        ("bafkreibruh455iawsviqslif5c7uurdcfdemh22mtnytyzvnzn75kpejxy", 262144),
    ]),
    (CHUNK + 1, [
        ("QmUSjGawaz4ptvREcMKSMJneWCa5j8dAz2wSAAvHtW2rnB", 262267),
        ("bafybeiexg2oqkfnj56l7fcmawswqbijt5shq4b5rg6a546uwpkqqzwjioi", 262249),
        ("bafybeidas2dvcqxlierzany6rt2e43v3yojj5ls4b7o7owukcgsgiarvrq", 262271),
        ("QmYWva9EpT9EDJtdehdyQSBfq6iUrm2kiVQkYZw1wBTgxH", 262249),
    ]),
    (4 * CHUNK, [
        ("QmXgkY4miMKJBrg8YYke4xw6C2n8WNsUc1GXLhN84k4QM3", 1048832),
        ("bafybeiedpcapwld4tkgtzwahfofgn4wex5ryysf4se6hwpmlrsh4ntnrau", 1048784),
        ("bafybeig6dzltgwskimoljyivhmtis7azvhvf2gk2pbhv5eul47unt5ekte", 1048840),
        ("QmXBrh6dSXUdY1Lse33ZVkxe9pPVjGPcNAFrCdA8o6U7tQ", 1048784),
    ]),
    (174 * CHUNK, [
        ("QmXCym15aFeWjAWyPFaAgwVmkuKB7EBsV77Skt54KmxChF", 45623854),
        ("bafybeihpe5snhzneq7xs53nivmsopto5lrogo3wjynauqylqeym5a3irbm", 45621766),
        ("bafybeifiin5lxhnjhsfqblkhcbt6i52nhhtuyqo44hv24slsom6prmmfbe", 45624202),
        ("QmeSCzLhTZUzEYZT1PvMzhyiz4HAE7ZmzSWro5mxfLdLmQ", 45621766),
    ]),
    (174 * CHUNK + 1, [
        ("QmTedsTekQQkgACJXb1sPZSW8bLdS9LPMrT7L4YdjNRd4n", 45624016),
        ("bafybeib4y7ghw2rq7bracc4xwtxrbzo7cfvagdpte2tmrkgwl6dyard3cm", 45621926),
        ("bafybeif6naoec4sq7ocfr3fyvgvu5ct7qwi377tfoduj2tuvshdelumpqi", 45624370),
        ("Qmebm53z8uPPhxiw5yenzGEj9mRp3gQn4kets9jWBYUTyR", 45621922),
    ]),
    (184 * CHUNK, [
        ("QmSCN4vC6n1LV3v17LvxSs1RTiFR2v5ponGss4CS177A6p", 48246032),
        ("bafybeia336p2fmynarytgpsssw6gehotdhnkb5rmvvgncx3ize7yqjsnre", 48243828),
        ("bafybeiaqwi7wizuzyfzasokkvhiiv246ico7axd6gtzrwjypsquvlvejs4", 48246404),
        ("QmZykyC75Y9E6MHJSmStdvD5Gzmwvr1Q9BPadAeJLKXuf1", 48243824),
    ]),
];

fn import(profile: Profile, bytes: &[u8]) -> Imported {
    let mut importer = Importer::new(profile);
    importer.write(bytes);
    importer.finish()
}

#[test]
fn names_equal_the_reference_importers() {
    let largest = GOLDEN[GOLDEN.len() - 1].0;
    let bytes: Vec<u8> = (0..largest).map(|i| (i % 251) as u8).collect();
    for (size, expected) in GOLDEN {
        for (profile, (cid, dag_size)) in PROFILES.into_iter().zip(expected) {
            let imported = import(profile, &bytes[..size]);
            assert_eq!(imported.cid.to_string(), cid, "{size} {profile:?}");
            assert_eq!(imported.dag_size, dag_size, "{size} {profile:?}");
            assert_eq!(imported.size, size as u64);
        }
    }
}

/// The CID every IPFS tutorial shows.
#[test]
fn hello_world_is_the_well_known_one() {
    let imported = import(Profile::DEFAULT, b"hello world\n");
    assert_eq!(
        imported.cid.to_string(),
        "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"
    );
    assert_eq!(imported.dag_size, 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn how_writes_are_cut_does_not_matter(
        size in 0usize..3 * CHUNK,
        cuts in prop::collection::vec(0usize..3 * CHUNK, 0..6),
    ) {
        let bytes: Vec<u8> = (0..size).map(|i| (i % 249) as u8).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(size)).collect();
        cuts.extend([0, size]);
        cuts.sort_unstable();
        let mut importer = Importer::new(Profile::DEFAULT);
        for pair in cuts.windows(2) {
            importer.write(&bytes[pair[0]..pair[1]]);
        }
        prop_assert_eq!(importer.finish(), import(Profile::DEFAULT, &bytes));
    }
}
