using System.Collections.Concurrent;

namespace Hami.Api.Access;

/// <summary>Answers that stay good for a short time; those who ask the same at once share one question, and a failure is not kept.</summary>
/// <param name="goodFor">How long an answer is used.</param>
/// <param name="most">So many answers are kept; with more, those kept are forgotten.</param>
internal sealed class Remembered<T>(TimeSpan goodFor, int most, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Answer> _answers = new(StringComparer.Ordinal);

    public async Task<T> GetAsync(string key, Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (!_answers.TryGetValue(key, out var answer) || answer.Until <= now)
        {
            if (_answers.Count >= most)
                Forget(now);
            var fresh = new Answer(new(ask), now + goodFor);
            answer = _answers.AddOrUpdate(key, fresh, (_, known) => known.Until <= now ? fresh : known);
        }
        var task = answer.Task.Value;
        try
        {
            // The question goes on without whoever first asked it: others wait for the same answer.
            return await task.WaitAsync(cancellationToken);
        }
        catch when (task.IsFaulted || task.IsCanceled)
        {
            _answers.TryRemove(KeyValuePair.Create(key, answer));
            throw;
        }
    }

    private void Forget(DateTimeOffset now)
    {
        foreach (var old in _answers.Where(a => a.Value.Until <= now))
            _answers.TryRemove(old);
        if (_answers.Count >= most)
            _answers.Clear();
    }

    private sealed record Answer(Lazy<Task<T>> Task, DateTimeOffset Until);
}
