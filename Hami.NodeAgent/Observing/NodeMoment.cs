using System.Collections.Immutable;

namespace Hami.NodeAgent.Observing;

/// <summary>What the node's cards and containers were doing at one moment.</summary>
/// <param name="DriverVersion">Null when the driver does not tell.</param>
internal sealed record NodeMoment(DateTimeOffset At, ImmutableArray<CardReading> Cards, ImmutableArray<ShareReading> Shares, string? DriverVersion = null);

/// <summary>What NVML measures of a card; null where the card does not tell.</summary>
/// <param name="Busy">Percent of the last sample period in which a kernel ran.</param>
/// <param name="MemoryBusy">Percent of it in which memory was read or written.</param>
/// <param name="EnergyMillijoule">Since the driver was loaded.</param>
/// <param name="FanPercent">Of the most that the fan is meant to turn; null for a card without one.</param>
/// <param name="LastXid">Number of its last error since this agent listens; 0 for none, null when it does not listen.</param>
internal sealed record CardReading(
    string Uuid, int Index, string Model, bool Healthy, long? MemoryTotalBytes, long? MemoryUsedBytes, int? Busy, int? MemoryBusy,
    int? TemperatureCelsius, long? PowerMilliwatt, long? EnergyMillijoule, int? MemoryTemperatureCelsius = null, int? FanPercent = null, int? LastXid = null);

/// <summary>What one container has of one card, as its region tells, held against the driver's own numbers.</summary>
/// <param name="Index">Position of the card among the container's: <c>vdevice_index</c>.</param>
/// <param name="UsedBytes">Contexts, modules and buffers together.</param>
/// <param name="LimitBytes">0 for no limit.</param>
/// <param name="DriverBytes">What NVML counts for the container's processes; null when their pids are not known.</param>
/// <param name="Busy">Percent of the card's time its processes had, from 0 to 100.</param>
/// <param name="LastKernel">When it last sent work; null before it did.</param>
internal sealed record ShareReading(
    string PodUid, string Namespace, string Pod, string Container, int ContainerIndex, int Index, string DeviceUuid,
    long UsedBytes, long LimitBytes, long ContextBytes, long ModuleBytes, long BufferBytes, long? DriverBytes, int Busy, DateTimeOffset? LastKernel, int Processes);

/// <summary>The latest moment, and a way to wait for the next.</summary>
internal sealed class NodeReadings
{
    private State now = new(null);

    public NodeMoment? Latest => now.Moment;

    /// <summary>The moment, with a task that ends when there is a later one.</summary>
    public (NodeMoment? Moment, Task Next) Watch()
    {
        var state = now;
        return (state.Moment, state.Next.Task);
    }

    public void Set(NodeMoment moment) => Interlocked.Exchange(ref now, new(moment)).Next.SetResult();

    private sealed record State(NodeMoment? Moment)
    {
        public TaskCompletionSource Next { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
