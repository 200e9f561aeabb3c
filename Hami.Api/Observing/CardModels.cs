using Hami.Api.Asking;
using Hami.Api.Reading;
using Hami.Domain.Ledger;

namespace Hami.Api.Observing;

/// <summary>Product names of the cards of one page, those that are gone too: read for all of them at once when one is asked for.</summary>
internal sealed class CardModels(Rows rows)
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _uuids = new(StringComparer.Ordinal);
    private Task<Dictionary<(string Node, string Uuid), string>>? _reading;

    /// <summary>What an allocation of the page holds.</summary>
    public void MayBeAskedFor(IReadOnlyList<Share> shares) => _uuids.UnionWith(shares.Select(s => s.DeviceUuid));

    public async Task<IReadOnlyList<string>> OfAsync(string node, IReadOnlyList<Share> shares, CancellationToken cancellationToken)
    {
        Task<Dictionary<(string, string), string>> reading;
        lock (_gate)
            reading = _reading ??= ReadAsync(cancellationToken);
        var models = await reading;
        return [.. shares.Select(s => models.GetValueOrDefault((node, s.DeviceUuid), "")).Where(m => m.Length > 0).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    private async Task<Dictionary<(string, string), string>> ReadAsync(CancellationToken cancellationToken)
    {
        var cards = new Conditions().And("d.uuid = any(?)", _uuids.ToArray());
        return (await rows.ReadAsync(
            $"select d.node, d.uuid, d.model from {ReadTables.Devices} d {cards.Where}", cards, r => (Of: (r.GetString(0), r.GetString(1)), Model: r.GetString(2)), cancellationToken))
            .ToDictionary(c => c.Of, c => c.Model);
    }
}
