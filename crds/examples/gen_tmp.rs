fn main() {
    for m in podid_crds::manifests::manifests().unwrap() {
        std::fs::write(format!("crds/manifests/{}", m.file), m.content).unwrap();
    }
}
