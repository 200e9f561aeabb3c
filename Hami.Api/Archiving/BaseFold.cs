using Hami.Domain.Ledger;
using Hami.Domain.Reading;

namespace Hami.Api.Archiving;

/// <summary>Folds what is archived into the read models as they will be at the horizon.</summary>
internal sealed class BaseFold
{
    private const int TakenAtOnce = 1000;

    private readonly ReadModels _models;
    private readonly UsageSums _sums = new();
    private int _folded;

    public BaseFold(BaseRows from)
    {
        _models = new(from.Open);
        foreach (var row in from.Usage)
            _sums.Add(row);
        foreach (var row in from.Cards)
            _sums.Add(row);
    }

    /// <summary>Time of the last event.</summary>
    public DateTimeOffset At { get; private set; }

    public void Next(Recorded e)
    {
        _models.Apply(e.Position, e.At, e.Stream, e.Event);
        At = e.At;
        if (++_folded % TakenAtOnce == 0)
            Take();
    }

    public BaseRows ToRows()
    {
        Take();
        return new(_models.Open, [.. _sums.Usage], [.. _sums.Cards]);
    }

    private void Take()
    {
        var changes = _models.TakeChanges().Usage;
        foreach (var row in changes.Usage)
            _sums.Add(row);
        foreach (var row in changes.Cards)
            _sums.Add(row);
    }
}
