using System.Collections.Immutable;
using Grpc.Core;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering.Health;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Partitioning;

/// <summary>Keeps what is known of static MIG devices equal to what NVML sees and tells of their health.</summary>
internal sealed partial class StaticMigDevices(
    NvmlSession session, SettingsInForce settings, HealthInbox health, AgentOptions options, TimeProvider time, ILogger<StaticMigDevices> log) : BackgroundService
{
    private readonly Lock gate = new();
    private readonly HashSet<string> said = new(StringComparer.Ordinal);
    // By where they were, whatever their number.
    private readonly Dictionary<HealthNews.Xid, CardError> errors = [];
    private readonly long started = time.GetTimestamp();
    private SeenMigDevices seen = SeenMigDevices.None;
    private State now = new([]);

    /// <summary>The devices of one resource, and a task that ends when they or their health may be others.</summary>
    public (ImmutableArray<Told> Devices, Task Changed) Watch(string resource)
    {
        var state = now;
        return ([.. state.All.Where(d => d.Resource == resource)], state.Changed.Task);
    }

    /// <summary>The resources that have had devices since the start of this agent, and a task that ends when there may be more.</summary>
    public (ImmutableArray<string> Resources, Task Changed) WatchResources()
    {
        var state = now;
        return ([.. state.All.Select(d => d.Resource).Distinct(StringComparer.Ordinal)], state.Changed.Task);
    }

    /// <summary>The devices behind the ids of a container, null when they are none of static MIG devices.</summary>
    /// <exception cref="RpcException">Some are, and one of them is not there.</exception>
    public IReadOnlyList<SeenMigDevice>? Find(IEnumerable<string> ids)
    {
        var all = ids.ToList();
        if (!all.Exists(IsMig))
            return null;
        var known = now.All;
        var unknown = all.Find(id => known.All(d => d.Device.Uuid != id));
        return unknown is null
            ? [.. all.Order(StringComparer.Ordinal).Select(id => known.First(d => d.Device.Uuid == id).Device)]
            : throw new RpcException(new Status(StatusCode.Internal, $"Node {options.NodeName} has no MIG device {unknown} any more; create the pod again."));
    }

    /// <summary>Of a card's replicas no id begins so.</summary>
    public static bool IsMig(string id) => id.StartsWith("MIG-", StringComparison.Ordinal);

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        health.Failed += Heard;
        return base.StartAsync(cancellationToken);
    }

    public override Task StopAsync(CancellationToken cancellationToken)
    {
        health.Failed -= Heard;
        return base.StopAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        session.Exists ? UntilStopped.RunAsync(Follow, time, log, stoppingToken) : Task.CompletedTask;

    private async Task Follow(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var (shared, changed) = settings.Watch();
            var silent = !Look(shared);
            var plan = StaticMig.Of(shared, seen, options.ResourceName);
            SayOnce(plan.Faults);
            Set([.. plan.Resources.SelectMany(r => r.Devices.Select(d => new Told(r.Name, d, !silent && IsHealthy(d))))]);
            await Task.WhenAny(changed, Task.Delay(options.LookAtCards, time, stoppingToken));
        }
    }

    private bool Look(NodeSettings shared)
    {
        if (shared.MigStrategy is MigStrategy.None)
            return true;
        try
        {
            seen = session.Ask(nvml => SeenMigDevices.Look(nvml, options.Sysfs));
            return true;
        }
        catch (NvmlException e)
        {
            // What was there stays published, unhealthy: whoever runs on it keeps it.
            if (said.Add("silent"))
                LogSilent(e.Message);
            return false;
        }
    }

    private void SayOnce(ImmutableArray<string> faults)
    {
        foreach (var fault in faults.Where(said.Add))
            LogFault(fault);
        said.IntersectWith(faults);
    }

    private void Heard(HealthNews.Xid error)
    {
        lock (errors)
            errors[error with { Number = 0 }] = new(error.Number, time.GetElapsedTime(started), 1);
        Set([.. now.All.Select(d => d with { IsHealthy = d.IsHealthy && IsHealthy(d.Device) })]);
    }

    private bool IsHealthy(SeenMigDevice device)
    {
        var its = new InstanceIdentity(device.Card, (uint)device.GpuInstance, (uint)device.ComputeInstance);
        lock (errors)
            return !errors.Any(e => its.IsHitBy(e.Key) && !e.Value.IsOver(time.GetElapsedTime(started), options.HealthRecovery));
    }

    private void Set(ImmutableArray<Told> all)
    {
        State before;
        lock (gate)
        {
            if (now.All.SequenceEqual(all))
                return;
            before = now;
            now = new(all);
        }
        LogChanged(all.Length, all.Count(d => d.IsHealthy));
        before.Changed.SetResult();
    }

    /// <summary>A device as the kubelet is told of it.</summary>
    internal sealed record Told(string Resource, SeenMigDevice Device, bool IsHealthy);

    private sealed record State(ImmutableArray<Told> All)
    {
        public TaskCompletionSource Changed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [LoggerMessage(LogLevel.Information, "Static MIG devices have changed: {Devices}, {Healthy} of them healthy")]
    private partial void LogChanged(int devices, int healthy);

    [LoggerMessage(LogLevel.Error, "{Sentence}")]
    private partial void LogFault(string sentence);

    [LoggerMessage(LogLevel.Warning, "Which MIG devices there are cannot be told ({Reason}): those that were count as unhealthy until it can")]
    private partial void LogSilent(string reason);
}
