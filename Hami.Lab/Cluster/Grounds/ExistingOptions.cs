using System.CommandLine;

namespace Hami.Lab.Cluster;

/// <summary>The options of a verb that can work in a cluster that exists already.</summary>
internal sealed class ExistingOptions
{
    private readonly Option<string?> _kubeconfig = new("--kubeconfig")
    {
        Description = "Use this existing cluster in place of the stand-in API server. Everything made there is labelled hami.io/lab and removed at the end.",
    };

    private readonly Option<string> _scheduler = new("--scheduler")
    {
        Description = "Who places pods there: our stand-in (lab), or the cluster's own kube-scheduler (external), configured as `hami scheduler-config` says.",
        DefaultValueFactory = _ => "lab",
    };

    private readonly ControlPlaneOptions _controlPlane = new();

    public ExistingOptions() => _scheduler.AcceptOnlyFromAmong("lab", "external");

    public void AddTo(Command command)
    {
        command.Options.Add(_kubeconfig);
        command.Options.Add(_scheduler);
        _controlPlane.AddTo(command);
        command.Validators.Add(parsed =>
        {
            if (parsed.GetValue(_kubeconfig) is null && parsed.GetValue(_scheduler) is "external")
                parsed.AddError("--scheduler external needs --kubeconfig FILE: the stand-in cluster has no kube-scheduler of its own.");
        });
    }

    /// <summary>The cluster that was named; null when the lab shall stand on its own.</summary>
    public ExistingCluster? Read(ParseResult parsed) => parsed.GetValue(_kubeconfig) is { } file
        ? new(
            Path.GetFullPath(file),
            parsed.GetValue(_scheduler) is "external",
            parsed.GetValue(_controlPlane.Directory)!,
            parsed.GetValue(_controlPlane.Host)!,
            parsed.GetValue(_controlPlane.Port))
        : null;
}

/// <summary>How a cluster's API server and kube-scheduler reach our control plane; the same for <c>scheduler-config</c> and for what runs afterwards.</summary>
internal sealed class ControlPlaneOptions
{
    public Option<string> Directory { get; } = LabOptions.DirectoryOption();

    public Option<string> Host { get; } = new("--host")
    {
        Description = "This machine's address or name as the cluster reaches it.",
        DefaultValueFactory = _ => Loopback.Address,
    };

    public Option<int> Port { get; } = new("--port")
    {
        Description = "The port of the scheduler extender on this machine, when the cluster's own kube-scheduler asks it.",
        DefaultValueFactory = _ => ExistingCluster.UsualExtenderPort,
    };

    public void AddTo(Command command)
    {
        command.Options.Add(Directory);
        command.Options.Add(Host);
        command.Options.Add(Port);
    }
}
