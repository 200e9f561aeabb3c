using Hami.Telemetry.V1;

namespace Hami.NodeAgent.Observing;

/// <summary>Moments as they are told: what they speak of is named once.</summary>
internal static class TelemetryReport
{
    public static ReportRequest Of(string node, IEnumerable<NodeMoment> moments, ulong dropped)
    {
        var report = new ReportRequest { Node = node, Dropped = dropped };
        var cards = new Dictionary<string, uint>(StringComparer.Ordinal);
        var shares = new Dictionary<(string, string, string), uint>();
        foreach (var moment in moments)
        {
            var told = new Moment { UnixMs = moment.At.ToUnixTimeMilliseconds() };
            told.Cards.AddRange(moment.Cards.Select(card => Sample(card, OfCard(card))));
            told.Shares.AddRange(moment.Shares.Select(share => Sample(share, OfShare(share))));
            report.Moments.Add(told);
            foreach (var card in moment.Cards)
                Tell(report.Cards[(int)cards[card.Uuid]], card);
            if (moment.DriverVersion is { } version)
                report.DriverVersion = version;
        }
        return report;

        uint OfCard(CardReading card)
        {
            if (cards.TryAdd(card.Uuid, (uint)cards.Count))
                report.Cards.Add(new Card { Uuid = card.Uuid });
            return cards[card.Uuid];
        }

        uint OfShare(ShareReading share)
        {
            var key = (share.PodUid, share.Container, share.DeviceUuid);
            if (shares.TryAdd(key, (uint)shares.Count))
                report.Shares.Add(new Share { PodUid = share.PodUid, Container = share.Container, DeviceUuid = share.DeviceUuid });
            return shares[key];
        }
    }

    // Of the latest moment that knows it; nobody asks how it was before.
    private static void Tell(Card told, CardReading card)
    {
        if (card.MemoryTemperatureCelsius is { } temperature)
            told.MemoryTemperatureCelsius = temperature;
        if (card.FanPercent is >= 0 and var fan)
            told.FanPercent = (uint)fan;
        if (card.LastXid is >= 0 and var xid)
            told.LastXid = (uint)xid;
    }

    private static CardSample Sample(CardReading card, uint position)
    {
        var sample = new CardSample { Card = position };
        if (card.Busy is >= 0 and var busy)
            sample.Busy = (uint)busy;
        if (card.MemoryUsedBytes is >= 0 and var used)
            sample.MemoryUsedBytes = (ulong)used;
        if (card.MemoryTotalBytes is >= 0 and var total)
            sample.MemoryTotalBytes = (ulong)total;
        if (card.TemperatureCelsius is { } temperature)
            sample.TemperatureCelsius = temperature;
        if (card.PowerMilliwatt is >= 0 and var power)
            sample.PowerMilliwatt = (ulong)power;
        if (card.EnergyMillijoule is >= 0 and var energy)
            sample.EnergyMillijoule = (ulong)energy;
        return sample;
    }

    // The driver's own number where it is known: what stands in the region is its tenant's word.
    private static ShareSample Sample(ShareReading share, uint position) => new()
    {
        Share = position, Busy = (uint)Math.Clamp(share.Busy, 0, 100), MemoryUsedBytes = (ulong)Math.Max(0, share.DriverBytes ?? share.UsedBytes),
    };
}
