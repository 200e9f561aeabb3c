using System.CommandLine;
using System.CommandLine.Parsing;
using Hami.Api.Plumbing.Kubernetes;

namespace Hami.Api.Commands;

/// <summary>The flags that say which cluster is served, and how its API server is asked.</summary>
internal sealed class ClusterFlags
{
    private readonly Option<string?> _kubeconfig = new("--kubeconfig") { Description = "kubeconfig file; else KUBECONFIG, else the cluster this process runs in." };
    private readonly Option<string?> _nodes = new("--node-label-selector") { Description = "Only nodes with these labels get pods: k=v,k2=v2. Nodes that stop having them are treated as gone." };
    private readonly Option<double> _perSecond = Flag.Number("--kube-qps", 0, -1, 1e6, "Requests per second to the API server; 0 for no limit.");
    private readonly Option<double> _burst = Flag.Number("--kube-burst", ClientLimits.Default.Burst, 1, 1e6, "Requests to the API server that may go out at once under --kube-qps.");
    private readonly Option<double> _timeout = Flag.Number(
        "--kube-timeout", ClientLimits.Default.Timeout.TotalSeconds, 0, 86400, "Seconds in which the API server has to begin an answer; 0 for no limit.");

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_kubeconfig, _nodes, _perSecond, _burst, _timeout])
            command.Options.Add(option);
        command.Validators.Add(Validate);
    }

    public ClusterOptions Read(ParseResult parsed) => new(
        parsed.GetValue(_kubeconfig),
        new(Math.Max(parsed.GetValue(_perSecond), 0), (int)parsed.GetValue(_burst), TimeSpan.FromSeconds(parsed.GetValue(_timeout))),
        Selector(parsed.GetValue(_nodes)) ?? "");

    private void Validate(CommandResult result)
    {
        if (WhyNot.Of(() => ClusterAccess.Of(result.TextOf(_kubeconfig))) is { } unknown)
            result.AddError($"The cluster cannot be reached without a usable kubeconfig: {unknown}");
        if (result.TextOf(_nodes) is { } selector && Selector(selector) is null)
            result.AddError($"--node-label-selector {selector} is not a list of labels such as gpu=on,zone=a.");
    }

    /// <summary>The selector in one spelling; null when it is none.</summary>
    private static string? Selector(string? text)
    {
        var parts = (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var pairs = parts.Select(p => p.Split('=', 2, StringSplitOptions.TrimEntries)).ToList();
        return pairs.TrueForAll(p => p.Length == 2 && p[0].Length > 0 && !p[0].Contains('!') && !p[1].Contains('='))
            ? string.Join(',', pairs.Select(p => $"{p[0]}={p[1]}"))
            : null;
    }
}
