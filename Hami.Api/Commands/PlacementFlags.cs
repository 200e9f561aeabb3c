using System.CommandLine;
using System.CommandLine.Parsing;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;

namespace Hami.Api.Commands;

/// <summary>The flags that say how pods are admitted, placed and bound.</summary>
internal sealed class PlacementFlags
{
    private readonly Option<string> _scheduler = new("--scheduler-name") { Description = "Scheduler that pods are handed to, and the source of events.", DefaultValueFactory = _ => "hami-scheduler" };
    private readonly Option<bool> _overwrite = Flag.Switch("--force-overwrite-default-scheduler", true, "Also take pods that name default-scheduler.");
    private readonly Option<string> _nodes = Policy("--node-scheduler-policy", "binpack", NodePolicies.Words, t => NodePolicies.TryParse(t) is not null);
    private readonly Option<string> _cards = Policy("--gpu-scheduler-policy", "spread", CardPolicy.Words, t => CardPolicy.TryParse(t) is not null);
    private readonly Option<string> _mode = Flag.OneOf("--extender-mode", "single", "single", "score");
    private readonly Option<TimeSpan> _reservation = Flag.Duration(
        "--reservation-timeout", TimeSpan.FromSeconds(60), "How long a pod's cards stay reserved between filter and bind; longer than the cluster's longest PreBind.", mayBeZero: false);
    private readonly Option<TimeSpan> _lock = Flag.Duration("--node-lock-timeout", LockExpiry, "Age at which another's lock on a node no longer counts; else the variable HAMI_NODELOCK_EXPIRE.");
    private readonly Option<TimeSpan> _lockRetry = Flag.Duration(
        "--node-lock-retry-timeout", TimeSpan.FromSeconds(28), "How long a bind waits its turn on a node whose plugin speaks HAMi's lock; 0 for not at all.");
    private readonly Option<string?> _devices = new("--device-config-file") { Description = "HAMi's device configuration, YAML; the values HAMi ships when not given." };

    private readonly Option<string?> _workload = new("--workload-file")
    {
        Description = "The typical workload for the policy fragmentation, a YAML or JSON list of kinds with cards, memoryMiB or memoryPercent, cores, cpuMilli, hostMemoryMiB, useTypes, avoidTypes, weight; learned from the pods placed when not given.",
    };

    // HAMi's chart sets the variable; HAMi itself overwrites it with its flag's default.
    private static TimeSpan LockExpiry =>
        GoValues.TryDuration(Environment.GetEnvironmentVariable("HAMI_NODELOCK_EXPIRE") ?? "", out var expiry) && expiry > TimeSpan.Zero ? expiry : TimeSpan.FromMinutes(5);

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_scheduler, _overwrite, _nodes, _cards, _mode, _reservation, _lock, _lockRetry, _devices, _workload])
            command.Options.Add(option);
        command.Validators.Add(Validate);
    }

    public PlacementOptions Read(ParseResult parsed) => new(
        parsed.GetValue(_scheduler)!, parsed.GetValue(_overwrite), NodePolicies.TryParse(parsed.GetValue(_nodes))!.Value, CardPolicy.TryParse(parsed.GetValue(_cards))!,
        parsed.GetValue(_mode) == "score" ? ExtenderMode.Score : ExtenderMode.Single,
        parsed.GetValue(_reservation), new(parsed.GetValue(_lock), parsed.GetValue(_lockRetry)),
        parsed.GetValue(_devices) is { } file ? DeviceConfigFile.Read(file) : NvidiaConfig.Hami)
    {
        Workload = parsed.GetValue(_workload) is { } workload ? WorkloadFile.Read(workload) : null,
    };

    private void Validate(CommandResult result)
    {
        if (result.TextOf(_devices) is { } file && WhyNot.Of(() => DeviceConfigFile.Read(file)) is { } unusable)
            result.AddError($"--device-config-file {file}: {unusable}");
        if (result.TextOf(_workload) is { } workload && WhyNot.Of(() => WorkloadFile.Read(workload)) is { } useless)
            result.AddError($"--workload-file {workload}: {useless}");
    }

    private static Option<string> Policy(string name, string otherwise, string words, Func<string, bool> isKnown)
    {
        var option = new Option<string>(name) { Description = $"Where the pod names none: {words}.", DefaultValueFactory = _ => otherwise };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var value }] && !isKnown(value))
                result.AddError($"{name} {value} is none of {words}.");
        });
        return option;
    }
}
