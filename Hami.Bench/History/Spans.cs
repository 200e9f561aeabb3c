using System.Diagnostics;

namespace Hami.Bench.History;

/// <summary>How long questions took, in milliseconds.</summary>
internal sealed record Spans(double P50Ms, double P99Ms, double MostMs, int Questions)
{
    /// <summary>Asks one after another; the first few are not counted.</summary>
    public static async Task<Spans> OfAsync(int warmUps, int questions, Func<int, Task> ask)
    {
        var all = new List<double>();
        for (var i = -warmUps; i < questions; i++)
        {
            var began = Stopwatch.GetTimestamp();
            try
            {
                await ask(i + warmUps);
            }
            // Code that is compiled while somebody waits may take too long on a busy machine.
            catch (Exception e) when (i < 0 && e is (TaskCanceledException or InvalidOperationException))
            {
                continue;
            }
            if (i >= 0)
                all.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }
        all.Sort();
        return new(At(0.5), At(0.99), all[^1], questions);

        double At(double part) => Math.Round(all[(int)Math.Min(all.Count - 1, Math.Ceiling(all.Count * part) - 1)], 2);
    }
}
