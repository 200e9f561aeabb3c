using System.Globalization;
using System.Text;

namespace Hami.Lab.Kubelet;

/// <summary>What <c>kubectl logs</c> asks of a log.</summary>
internal sealed record LogRequest(bool Follow, bool Previous, bool Timestamps, int? TailLines, DateTimeOffset? Since, long? LimitBytes)
{
    public static LogRequest Of(IQueryCollection query, DateTimeOffset now)
    {
        DateTimeOffset? since = null;
        if (double.TryParse(query["sinceSeconds"], CultureInfo.InvariantCulture, out var seconds))
            since = now - TimeSpan.FromSeconds(seconds);
        else if (DateTimeOffset.TryParse(query["sinceTime"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            since = time;
        return new(
            IsTrue(query["follow"]),
            IsTrue(query["previous"]),
            IsTrue(query["timestamps"]),
            int.TryParse(query["tailLines"], CultureInfo.InvariantCulture, out var lines) ? lines : null,
            since,
            long.TryParse(query["limitBytes"], CultureInfo.InvariantCulture, out var bytes) ? bytes : null);
    }

    private static bool IsTrue(string? value) => value is "true" or "1";
}

/// <summary>Passes a log on as asked, piece by piece as it grows.</summary>
internal sealed class LogCopy(LogRequest request, LogClock? clock, Stream to)
{
    private readonly byte[] _buffer = new byte[16 * 1024];
    private long _left = request.LimitBytes ?? long.MaxValue;
    private bool _atLineStart = true;

    /// <summary>Copies what is there from the log's position on; false when as much as was asked for has been copied.</summary>
    public async Task<bool> Copy(FileStream log, CancellationToken cancellationToken)
    {
        clock?.Look();
        while (_left > 0)
        {
            var position = log.Position;
            var count = await log.ReadAsync(_buffer, cancellationToken);
            if (count == 0)
                return true;
            if (request.Timestamps)
                await CopyLines(position, count, log, cancellationToken);
            else
                await Write(_buffer.AsMemory(0, count), cancellationToken);
        }
        return false;
    }

    private async Task CopyLines(long position, int count, FileStream log, CancellationToken cancellationToken)
    {
        for (var from = 0; from < count;)
        {
            if (_atLineStart)
            {
                var at = clock?.At(position + from) ?? new DateTimeOffset(File.GetLastWriteTimeUtc(log.Name));
                await Write(Encoding.ASCII.GetBytes($"{at.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fffffff}00Z "), cancellationToken);
            }
            var end = Array.IndexOf(_buffer, (byte)'\n', from, count - from);
            var next = end < 0 ? count : end + 1;
            await Write(_buffer.AsMemory(from, next - from), cancellationToken);
            _atLineStart = end >= 0;
            from = next;
        }
    }

    private async Task Write(ReadOnlyMemory<byte> piece, CancellationToken cancellationToken)
    {
        var some = piece[..(int)Math.Min(piece.Length, _left)];
        _left -= some.Length;
        await to.WriteAsync(some, cancellationToken);
    }
}
