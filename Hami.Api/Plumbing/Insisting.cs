using Hami.Domain.Ledger;

namespace Hami.Api.Plumbing;

/// <summary>For commands that nobody waits for and that must not be lost while PostgreSQL is away.</summary>
internal static class Insisting
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Decides as <see cref="Journal.DecideAsync"/> does, again and again until the journal can write.</summary>
    /// <param name="notYet">Told why each time it cannot.</param>
    public static async Task<Verdict<TEvent>> DecideUntilWrittenAsync<TEvent>(
        this Journal journal, string stream, Func<ClusterLedger, Verdict<TEvent>> decide, Action<string> notYet, TimeProvider time,
        CancellationToken cancellationToken) where TEvent : notnull
    {
        while (true)
        {
            try
            {
                return await journal.DecideAsync(stream, decide, cancellationToken);
            }
            catch (JournalUnavailableException e)
            {
                notYet(e.Message);
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
    }
}
