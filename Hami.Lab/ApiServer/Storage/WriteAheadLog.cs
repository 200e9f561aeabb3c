using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>One line of the log. Without a resource it says that everything before it is a snapshot at this revision.</summary>
internal sealed record LogEntry(long Revision, Resource? Resource, bool Removed, JsonObject? Body);

/// <summary>Every write as one JSON line, handed to the operating system before the client hears of it: it survives a killed process.</summary>
/// <remarks>
/// A write that fails, as on a full disk, is taken back whole: the next one does not begin inside a torn line. The file is its owner's alone:
/// every Secret is in it, and the key that signs tokens.
/// </remarks>
internal sealed class WriteAheadLog : IDisposable
{
    private readonly Stream _file;
    private readonly ArrayBufferWriter<byte> _line = new();
    private long _length;
    private bool _torn;

    /// <summary>A log over a stream that is already at its end.</summary>
    internal WriteAheadLog(Stream file) => (_file, _length) = (file, file.Length);

    public static IEnumerable<LogEntry> Read(string path)
    {
        if (!File.Exists(path))
            yield break;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        var number = 0;
        foreach (var line in Lines(file))
        {
            number++;
            if (Parse(line.Span, path, number) is { } entry)
                yield return entry;
        }
    }

    /// <summary>Replaces the log by a snapshot of what is true now, and goes on after it.</summary>
    public static WriteAheadLog Rewrite(string path, long revision, IEnumerable<Stored> objects)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var fresh = path + ".new";
        // What an earlier start left half done keeps the mode it was made with.
        File.Delete(fresh);
        using (var log = new WriteAheadLog(new FileStream(fresh, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.None,
            BufferSize = 1024 * 1024,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        })))
        {
            foreach (var stored in objects)
                log.Put(stored);
            log.Write($"{{\"rev\":{revision}}}", "");
            log._file.Flush();
        }
        File.Move(fresh, path, overwrite: true);
        // No buffer of ours: what Write returned from is with the operating system.
        var end = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.Read, bufferSize: 0);
        end.Seek(0, SeekOrigin.End);
        return new(end);
    }

    public void Put(Stored stored) => Write(HeadOf(stored.Resource, stored.Revision) + ",\"object\":", stored.Utf8.Span, "}");

    /// <summary>Notes the end of an object; who reads the log knows its last version already.</summary>
    public void Remove(Stored last, long revision)
    {
        var key = new JsonObject { ["metadata"] = new JsonObject { ["name"] = last.Name, ["namespace"] = last.Namespace } };
        Write(HeadOf(last.Resource, revision) + ",\"removed\":true,\"object\":", Json.Utf8(key), "}");
    }

    public void Dispose() => _file.Dispose();

    private static string HeadOf(Resource resource, long revision) => $"{{\"rev\":{revision},\"group\":\"{resource.Group}\",\"resource\":\"{resource.Plural}\"";

    private void Write(string head, string tail) => Write(head, [], tail);

    private void Write(string head, ReadOnlySpan<byte> body, string tail)
    {
        if (_torn)
            throw new IOException("The write-ahead log ends in half a line that could not be taken back.");
        _line.ResetWrittenCount();
        Encoding.UTF8.GetBytes(head, _line);
        _line.Write(body);
        Encoding.UTF8.GetBytes(tail + "\n", _line);
        try
        {
            _file.Write(_line.WrittenSpan);
            _length += _line.WrittenCount;
        }
        catch (IOException)
        {
            TakeBack();
            throw;
        }
    }

    private void TakeBack()
    {
        try
        {
            _file.SetLength(_length);
            _file.Seek(0, SeekOrigin.End);
        }
        catch (IOException)
        {
            // Whatever came after half a line would be lost with it, so nothing may.
            _torn = true;
        }
    }

    // A process killed while writing leaves half a line at the end: nobody was told of that write, so it is as if it had never been.
    private static IEnumerable<ReadOnlyMemory<byte>> Lines(Stream file)
    {
        var (buffer, filled) = (new byte[256 * 1024], 0);
        while (file.Read(buffer, filled, buffer.Length - filled) is > 0 and var count)
        {
            filled += count;
            var begin = 0;
            while (buffer.AsSpan(begin, filled - begin).IndexOf((byte)'\n') is >= 0 and var length)
            {
                yield return buffer.AsMemory(begin, length);
                begin += length + 1;
            }
            buffer.AsSpan(begin, filled - begin).CopyTo(buffer);
            filled -= begin;
            if (filled == buffer.Length)
                Array.Resize(ref buffer, 2 * buffer.Length);
        }
    }

    private static LogEntry? Parse(ReadOnlySpan<byte> line, string path, int number)
    {
        try
        {
            var entry = (JsonObject?)Json.Parse(line) ?? throw new JsonException();
            var revision = entry.NumberAt("rev") ?? throw new JsonException("it has no revision");
            if (entry.TextAt("resource") is not { } plural)
                return new(revision, Resource: null, Removed: false, Body: null);
            var resource = Array.Find(Resources.All, r => r.StoredAs is null && r.Plural == plural && r.Group == entry.TextAt("group"));
            if (resource is null)
                return null;
            entry.Remove("object", out var body);
            return new(revision, resource, entry.FlagAt("removed"), (JsonObject)body!);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"Line {number} of {path} is damaged: {e.Message}", e);
        }
    }
}
