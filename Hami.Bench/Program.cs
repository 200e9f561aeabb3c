using System.CommandLine;

// Each verb measures one thing and lives in a folder of its own; `--json` prints one line for machines.
return await new RootCommand("Benchmarks of HAMi on events; results are kept in docs/benchmarks.md.") { }.Parse(args).InvokeAsync();
