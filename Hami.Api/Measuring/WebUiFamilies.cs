using System.Globalization;
using Hami.Api.Observing;
using Hami.Domain.Ledger;

namespace Hami.Api.Measuring;

/// <summary>
/// The metrics of HAMi-WebUI's exporter under their names and labels, for dashboards that were made for them: of cards and of containers, from the
/// ledger and from what node agents tell this process. What is not known has no series, where there it is 0; compute that was not asked for is 0,
/// where there it is 100.
/// </summary>
internal static class WebUiFamilies
{
    private const string Provider = "NVIDIA";

    private static readonly string[] OfCard = ["node", "provider", "device_type", "device_uuid", "driver_version", "device_no"];
    private static readonly string[] OfShare = ["node", "provider", "device_type", "device_uuid", "pod_name", "container_name", "namespace_name"];
    private static readonly string[] OfAllocated = [.. OfShare, "container_pod_uuid"];

    public static IEnumerable<Family> Of(ClusterLedger ledger, LiveTelemetry telemetry)
    {
        var (cards, shares) = (new List<CardNow>(), new List<ShareNow>());
        foreach (var (name, node) in ledger.Nodes.OrderBy(n => n.Key, StringComparer.Ordinal))
        {
            var (now, facts) = (telemetry.NowOf(name).ToDictionary(n => n.Key, n => n.Value), telemetry.FactsOf(name));
            // No card is published twice by a node that means it; a series must not be.
            foreach (var card in node.Cards.DistinctBy(c => c.Uuid, StringComparer.Ordinal))
            {
                cards.Add(CardNow.Of(name, card, Known(now, new(card.Uuid, "", "")), facts));
                shares.AddRange(
                    from a in node.Allocations.Values.OrderBy(a => a.Namespace, StringComparer.Ordinal).ThenBy(a => a.Pod, StringComparer.Ordinal).ThenBy(a => a.PodUid, StringComparer.Ordinal)
                    from container in a.Held.Where(s => s.DeviceUuid == card.Uuid).GroupBy(s => s.Container, StringComparer.Ordinal)
                    select ShareNow.Of(name, card, a, container.Key, [.. container], Known(now, new(card.Uuid, a.PodUid, container.Key))));
            }
        }
        return OfCards(cards).Concat(OfAllocations(shares)).Concat(OfUse(shares));

        static Measured? Known(Dictionary<UseKey, Measured> now, UseKey key) => now.TryGetValue(key, out var value) ? value : null;
    }

    private static IEnumerable<Family> OfCards(List<CardNow> cards)
    {
        yield return Each("hami_vgpu_count", "How many containers may share the card.", c => c.Card.Slots);
        yield return Each("hami_vmemory_size", "Memory of the card in MiB, memory scaling applied.", c => c.Card.MemoryMiB);
        yield return Each("hami_memory_size", "Memory of the card in MiB, memory scaling applied.", c => c.Card.MemoryMiB);
        yield return Each("hami_vcore_size", "Compute of the card in percent, core scaling applied.", c => c.Card.Cores);
        yield return Each("hami_core_size", "Compute of a card in percent.", _ => 100);
        yield return Each("hami_vcore_scaling", "How many times its compute the card may be given away.", c => c.Card.Cores / 100.0);
        yield return Each("hami_vmemory_scaling", "How many times its memory the card may be given away.", c => c.Now?.MemoryTotalBytes is > 0 and var total ? c.Card.MemoryMiB * Usage.BytesOfMiB / total : null);
        yield return Each("hami_memory_used", "Memory of the card in use, in MiB.", c => c.Now?.MemoryBytes / Usage.BytesOfMiB);
        yield return Each("hami_memory_util", "Memory of the card in use, in percent of its size.", c => c.Card.MemoryMiB > 0 ? 100 * (c.Now?.MemoryBytes / Usage.BytesOfMiB) / c.Card.MemoryMiB : null);
        foreach (var name in (string[])["hami_core_used", "hami_core_util", "hami_core_used_avg", "hami_core_util_avg"])
            yield return Each(name, "Percent of the last moments in which the card computed.", c => c.Now?.Busy);
        yield return Each("hami_device_temperature", "Temperature of the card in °C.", c => c.Now?.TemperatureCelsius);
        yield return Each("hami_device_memory_temperature", "Temperature of the card's memory in °C.", c => c.Facts.MemoryTemperatureCelsius);
        yield return Each("hami_device_fan_speed_p", "Percent of the most that the card's fan is meant to turn; a card without one has no series.", c => c.Facts.FanPercent);
        yield return Each("hami_device_hardware_health", "XID number of the card's last error since its node's agent listens; 0 for none.", c => c.Facts.LastXid);
        yield return Each("hami_device_power", "Power that the card draws, in W.", c => c.Now?.PowerMilliwatt / 1000.0);

        Family Each(string name, string help, Func<CardNow, double?> value) => new(
            name, help, OfCard, cards.Select(c => (Value: value(c), c.Labels)).Where(c => c.Value is not null).Select(c => new Sample(c.Value!.Value, c.Labels)));
    }

    private static IEnumerable<Family> OfAllocations(List<ShareNow> shares)
    {
        yield return Each("hami_container_vgpu_allocated", "Parts of the card that the container holds.", s => s.Parts);
        yield return Each("hami_container_vmemory_allocated", "Memory of the card that the container holds, in MiB.", s => s.MemoryMiB);
        yield return Each("hami_container_vcore_allocated", "Compute of the card that the container holds, in percent; 0 where it asked for none.", s => s.Cores);

        Family Each(string name, string help, Func<ShareNow, double> value) => new(name, help, OfAllocated, shares.Select(s => new Sample(value(s), [.. s.Labels, $"{s.Labels[5]}:{s.PodUid}"])));
    }

    private static IEnumerable<Family> OfUse(List<ShareNow> shares)
    {
        // Two pods of one name, as the log may know for a moment, would be the same series.
        var named = shares.DistinctBy(s => string.Join('/', s.Labels), StringComparer.Ordinal).ToList();
        yield return Each("hami_container_memory_used", "Memory of the card that the container uses, in MiB.", s => s.Now?.MemoryBytes / Usage.BytesOfMiB);
        yield return Each("hami_container_memory_util", "Memory that the container uses, in percent of what it holds.", s => s.MemoryMiB > 0 ? 100 * (s.Now?.MemoryBytes / Usage.BytesOfMiB) / s.MemoryMiB : null);
        yield return Each("hami_container_core_used", "Percent of the card's time that the container has.", s => s.Now?.Busy);
        yield return Each("hami_container_core_util", "Time of the card that the container has, in percent of the compute that it holds.", s => s.Cores > 0 ? 100.0 * s.Now?.Busy / s.Cores : null);

        Family Each(string name, string help, Func<ShareNow, double?> value) => new(
            name, help, OfShare, named.Select(s => (Value: value(s), s.Labels)).Where(s => s.Value is not null).Select(s => new Sample(s.Value!.Value, s.Labels)));
    }

    private sealed record CardNow(Card Card, Measured? Now, CardFacts Facts, string[] Labels)
    {
        // DCGM, which says the number there, calls a card by its device file.
        public static CardNow Of(string node, Card card, Measured? now, HeardFacts facts) =>
            new(card, now, facts.Cards.GetValueOrDefault(card.Uuid), [node, Provider, card.Model, card.Uuid, facts.DriverVersion ?? "", $"nvidia{card.Index.ToString(CultureInfo.InvariantCulture)}"]);
    }

    private sealed record ShareNow(string PodUid, int Parts, long MemoryMiB, long Cores, Measured? Now, string[] Labels)
    {
        public static ShareNow Of(string node, Card card, Allocation a, string container, IReadOnlyList<Share> shares, Measured? now) => new(
            a.PodUid, shares.Count, shares.Sum(s => s.MemoryMiB), shares.Sum(s => (long)s.Cores), now, [node, Provider, card.Model, card.Uuid, a.Pod, container, a.Namespace]);
    }
}
