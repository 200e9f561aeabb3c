using System.Globalization;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Registering;

namespace Hami.NodeAgent.Observing;

/// <summary>An instance of MIG that a container holds, once it is made.</summary>
internal sealed record MigHeld(
    string Namespace, string Pod, string Container, int DeviceIndex, string DeviceUuid, string MigUuid, string Profile, int GpuInstanceId, int ComputeInstanceId);

/// <summary>All that is offered of the node at one time.</summary>
/// <param name="Moment">Null before the first look.</param>
/// <param name="Over">Shares that hold more than their limit, and have been told so.</param>
internal sealed record NodeFacts(
    string Node, DateTimeOffset Now, NodeMoment? Moment, IReadOnlyList<WatchedContainer> Containers, IReadOnlyList<MigHeld> Instances, IReadOnlySet<ShareName> Over, Counts Counts);

/// <summary>What this process counted since its start.</summary>
/// <param name="Unreadable">Regions that are there and could not be read at the last look.</param>
internal sealed record Counts(long Samples, TimeSpan LookTime, int Unreadable, long Reported, long Killed);

/// <summary>The metrics of HAMi's monitor, under its names and labels, and ours. Pure.</summary>
internal static class NodeMetrics
{
    private const string Gauge = "gauge", Counter = "counter";
    private static readonly string[] None = [];
    private static readonly string[] OfCard = ["node", "device_index", "device_uuid", "device_type", "zone"];
    private static readonly string[] OfShare = ["namespace", "pod", "container", "vdevice_index", "device_uuid", "zone"];
    private static readonly string[] OfCardFormerly = ["nodeid", "deviceidx", "deviceuuid", "devicetype", "zone"];
    private static readonly string[] OfShareFormerly = ["podnamespace", "podname", "ctrname", "vdeviceid", "deviceuuid", "zone"];

    // HAMi has one zone.
    private const string Zone = "vGPU";

    public static string Text(NodeFacts facts, bool legacy)
    {
        var text = new MetricsText();
        var build = BuildFacts.Here;
        text.Family(
            "hami_build_info", Gauge, "Which build this is.", ["version", "revision", "build_date", "go_version", "compiler", "platform"],
            [(1, [build.Version, build.Revision, build.BuildDate, build.Runtime, build.Compiler, build.Platform])]);
        Of(text, facts, facts.Moment?.Cards ?? [], legacy);
        // Two pods of one name, as may be known for a moment, would be the same series.
        Of(text, facts, [.. (facts.Moment?.Shares ?? []).DistinctBy(s => (s.Namespace, s.Pod, s.Container, s.Index, s.DeviceUuid))], legacy);
        Instances(text, facts, legacy);
        Own(text, facts);
        return text.ToString();
    }

    private static void Of(MetricsText text, NodeFacts facts, IReadOnlyList<CardReading> cards, bool legacy)
    {
        void Each(string name, string kind, string help, Func<CardReading, double?> value, string[]? labels = null) => text.Family(
            name, kind, help, labels ?? OfCard,
            from card in cards
            let number = value(card)
            where number is not null
            select (number.Value, labels is { Length: 4 } ? [Number(card.Index), card.Uuid, CardType.Of(card.Model), Zone] : new[] { facts.Node, Number(card.Index), card.Uuid, CardType.Of(card.Model), Zone }));

        Each("hami_host_gpu_memory_used_bytes", Gauge, "Memory of the card that is in use, in bytes.", c => c.MemoryUsedBytes);
        Each("hami_host_gpu_utilization_ratio", Gauge, "Percent of the time in which the card computed.", c => c.Busy);
        Each("hami_host_gpu_memory_controller_utilization_ratio", Gauge, "Percent of the time in which the card's memory was read or written.", c => c.MemoryBusy, ["device_index", "device_uuid", "device_type", "zone"]);
        Each("hami_host_gpu_temperature_celsius", Gauge, "Temperature of the card.", c => c.TemperatureCelsius);
        Each("hami_host_gpu_memory_temperature_celsius", Gauge, "Temperature of the card's memory.", c => c.MemoryTemperatureCelsius);
        Each("hami_host_gpu_fan_speed_ratio", Gauge, "Percent of the most that the card's fan is meant to turn; cards without one have no such series.", c => c.FanPercent);
        Each("hami_host_gpu_last_xid", Gauge, "XID number of the card's last error since the agent started; 0 for none.", c => c.LastXid);
        Each("hami_host_gpu_power_usage_watts", Gauge, "Power that the card draws.", c => c.PowerMilliwatt / 1000.0);
        Each("hami_host_gpu_energy_joules_total", Counter, "Energy that the card used since its driver was loaded.", c => c.EnergyMillijoule / 1000.0);
        Each("hami_host_gpu_memory_total_bytes", Gauge, "Memory of the card, in bytes.", c => c.MemoryTotalBytes);
        Each("hami_host_gpu_healthy", Gauge, "1 when the card is given to pods, 0 when it is not healthy.", c => c.Healthy ? 1 : 0);
        if (!legacy)
            return;
        Each("HostGPUMemoryUsage", Gauge, "Memory of the card that is in use, in bytes.", c => c.MemoryUsedBytes, OfCardFormerly);
        Each("HostCoreUtilization", Gauge, "Percent of the time in which the card computed.", c => c.Busy, OfCardFormerly);
    }

    private static void Of(MetricsText text, NodeFacts facts, IReadOnlyList<ShareReading> shares, bool legacy)
    {
        void Each(string name, string help, Func<ShareReading, double?> value, string[]? labels = null) => text.Family(
            name, Gauge, help, labels ?? OfShare,
            from share in shares
            let number = value(share)
            where number is not null
            select (number.Value, new[] { share.Namespace, share.Pod, share.Container, Number(share.Index), share.DeviceUuid, Zone }));

        double? Elapsed(ShareReading share) => share.LastKernel is { } last ? Math.Max(0, Math.Floor((facts.Now - last).TotalSeconds)) : null;

        Each("hami_vgpu_memory_used_bytes", "Memory of the card that the container uses, in bytes.", s => s.UsedBytes);
        Each("hami_vgpu_memory_limit_bytes", "Memory of the card that the container may use, in bytes.", s => s.LimitBytes);
        Each("hami_container_device_memory_bytes", "Memory of the card that the container uses, in bytes.", s => s.UsedBytes);
        Each("hami_container_device_utilization_ratio", "Percent of the card's time that the container has.", s => s.Busy);
        Each("hami_vgpu_memory_context_bytes", "Part of it for contexts.", s => s.ContextBytes);
        Each("hami_vgpu_memory_module_bytes", "Part of it for code.", s => s.ModuleBytes);
        Each("hami_vgpu_memory_buffer_bytes", "Part of it that was asked for.", s => s.BufferBytes);
        Each("hami_container_last_kernel_elapsed_seconds", "Time since the container last sent work to a card.", Elapsed);
        Each("hami_vgpu_memory_driver_bytes", "Memory of the card that the driver counts for the container's processes, in bytes.", s => s.DriverBytes);
        Each("hami_vgpu_memory_limit_exceeded", "1 while the container holds more than its limit by the driver's count, and that was reported.", s => facts.Over.Contains(ShareName.Of(s)) ? 1 : 0);
        Each("hami_vgpu_processes", "Processes of the container.", s => s.Processes);
        if (!legacy)
            return;
        Each("vGPU_device_memory_usage_in_bytes", "Memory of the card that the container uses, in bytes.", s => s.UsedBytes, OfShareFormerly);
        Each("vGPU_device_memory_limit_in_bytes", "Memory of the card that the container may use, in bytes.", s => s.LimitBytes, OfShareFormerly);
        text.Family(
            "Device_memory_desc_of_container", Gauge, "Memory of the card that the container uses, in bytes, and its parts.", [.. OfShareFormerly[..^1], "context", "module", "data", "offset", "zone"],
            shares.Select(s => ((double)s.UsedBytes, new[]
            {
                s.Namespace, s.Pod, s.Container, Number(s.Index), s.DeviceUuid,
                Number(s.ContextBytes), Number(s.ModuleBytes), Number(s.BufferBytes), Number(s.UsedBytes - s.ContextBytes - s.ModuleBytes - s.BufferBytes), Zone,
            })));
        Each("Device_utilization_desc_of_container", "Percent of the card's time that the container has.", s => s.Busy, OfShareFormerly);
        Each("Device_last_kernel_of_container", "Time since the container last sent work to a card.", Elapsed, OfShareFormerly);
    }

    private static void Instances(MetricsText text, NodeFacts facts, bool legacy)
    {
        text.Family(
            "hami_mig_device_info", Gauge, "An instance of MIG that the container holds.", [.. OfShare[..^1], "mig_uuid", "profile", "gpu_instance_id", "compute_instance_id", "zone"],
            facts.Instances.Select(i => (1.0, new[] { i.Namespace, i.Pod, i.Container, Number(i.DeviceIndex), i.DeviceUuid, i.MigUuid, i.Profile, Number(i.GpuInstanceId), Number(i.ComputeInstanceId), Zone })));
        if (legacy)
            text.Family(
                "MigInfo", Gauge, "An instance of MIG that the container holds.", [.. OfShareFormerly[..^1], "instanceid", "zone"],
                facts.Instances.Select(i => (1.0, new[] { i.Namespace, i.Pod, i.Container, Number(i.DeviceIndex), i.DeviceUuid, Number(i.GpuInstanceId), Zone })));
    }

    private static void Own(MetricsText text, NodeFacts facts)
    {
        void One(string name, string kind, string help, double? value) => text.Family(name, kind, help, None, value is { } number ? [(number, None)] : []);

        text.Family(
            "hami_container_info", Gauge, "A container that was given cards, with the index that the scheduler's metrics have.", ["namespace", "pod", "container", "container_index", "pod_uid", "zone"],
            facts.Containers.Where(c => !c.Over).DistinctBy(c => (c.Namespace, c.Pod, c.Name)).Select(c => (1.0, new[] { c.Namespace, c.Pod, c.Name, Number(c.Index), c.PodUid, Zone })));
        text.Family(
            "hami_node_limit_actions_total", Counter, "What was done about containers that held more than their limit, by what it was.", ["action"], [(facts.Counts.Reported, ["report"]), (facts.Counts.Killed, ["kill"])]);
        One("hami_node_samples_total", Counter, "How often cards and containers were looked at.", facts.Counts.Samples);
        One("hami_node_sample_seconds", Gauge, "How long the last look took.", facts.Counts.LookTime.TotalSeconds);
        One("hami_node_sample_timestamp_seconds", Gauge, "When the last look was.", facts.Moment?.At.ToUnixTimeMilliseconds() / 1000.0);
        One("hami_node_unreadable_regions", Gauge, "Regions of containers that are there and could not be read.", facts.Counts.Unreadable);
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
