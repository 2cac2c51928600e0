fn main() {
    let a: Vec<String> = std::env::args().collect();
    let s = arctic::agent::Settings {
        listen: a[1].clone(),
        advertise: None,
        data_dir: a[2].clone().into(),
        issuers: a[3].clone().into(),
        customer: None,
        log_level: log::LevelFilter::Debug,
        die_with_stdin: false,
        remove_on_eof: None,
        port_file: None,
    };
    let r = arctic::agent::run(s, |agent| {
        std::sync::Arc::new(arctic::api::Api::new(Box::new(
            arctic::api::live::Live::new(agent),
        )))
    });
    if let Err(e) = r {
        eprintln!("Error: {e}");
        std::process::exit(1);
    }
}
