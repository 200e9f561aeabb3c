using System.CommandLine;

namespace Hami.Api.Commands;

/// <summary>Flags that HAMi's chart or users pass and that change nothing here; they are accepted so that a start does not fail on them.</summary>
internal sealed class IdleFlags
{
    // Leader election: several of ours may serve at once, the log decides. The vendors' names come from the device
    // configuration; the rest is klog's.
    private static readonly string[] Names =
    [
        "--leader-elect", "--leader-elect-resource-name", "--leader-elect-resource-namespace", "--debug",
        "--enable-ascend", "--enable-iluvatar",
        "--cambricon-mlu-name", "--cambricon-mlu-memory", "--cambricon-mlu-cores",
        "--dcu-name", "--dcu-memory", "--dcu-cores",
        "--mthreads-name", "--mthreads-memory", "--mthreads-cores",
        "--metax-name", "--metax-vcount", "--metax-vcore", "--metax-vmemory", "--sgpu-topology-aware",
        "--kunlun-name", "--kunlun-vcount", "--kunlun-vmemory",
        "--enflame-gcu-resource-name", "--enflame-drs-gcu-resource-name", "--enflame-gcu-memory-resource-name", "--enflame-gcu-core-resource-name",
        "--enflame-vgcu-resource-name", "--enflame-vgcu-legacy-resource-name", "--enflame-vgcu-percentage-resource-name",
        "--v", "--vmodule", "--logtostderr", "--alsologtostderr", "--stderrthreshold", "--log_dir", "--log_file", "--log_file_max_size",
        "--log_backtrace_at", "--add_dir_header", "--skip_headers", "--skip_log_headers", "--one_output",
    ];

    private readonly List<Option<string?>> _options =
    [
        .. Names.Select(name => new Option<string?>(name, name is "--v" ? ["-v"] : []) { Hidden = true, Arity = ArgumentArity.ZeroOrOne }),
    ];

    public void AddTo(Command command)
    {
        foreach (var option in _options)
            command.Options.Add(option);
    }

    /// <summary>Those that were given.</summary>
    public IReadOnlyList<string> Given(ParseResult parsed) => [.. _options.Where(o => parsed.GetResult(o) is not null).Select(o => o.Name)];
}
