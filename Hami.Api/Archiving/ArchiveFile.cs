using System.Globalization;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Domain.Replaying;

namespace Hami.Api.Archiving;

/// <summary>A file that events are archived into: gzip, a line of JSON for each, in the log's order. It has its name only when it is whole and on the disk.</summary>
internal sealed class ArchiveFile : IDisposable
{
    private static readonly JsonSerializerOptions Readable = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private static readonly JsonWriterOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string _path;
    private readonly FileStream _file;
    private readonly Stream _packed;
    private readonly IncrementalHash _written = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly MemoryStream _line = new();
    private long _events;
    private bool _isWhole;

    private ArchiveFile(string path)
    {
        _path = path;
        // Unbuffered, as what is packed comes in large pieces: closing it must not write, and so fail.
        _file = new(Partial, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        _packed = new GZipStream(_file, CompressionLevel.Optimal, leaveOpen: true);
    }

    private string Partial => _path + ".partial";

    /// <summary>The name of the file that holds the events from one position to another.</summary>
    public static string NameOf(long first, long last) => string.Create(CultureInfo.InvariantCulture, $"log-{first}-{last}.jsonl.gz");

    public static ArchiveFile Create(string folder, string name) => new(Path.Combine(folder, name));

    /// <summary>Files of runs that did not come to their end: they hold what others hold, too.</summary>
    public static IReadOnlyList<string> LeftOver(string folder, IEnumerable<Horizon> files)
    {
        var known = files.Select(f => f.File).ToHashSet(StringComparer.Ordinal);
        return [.. Directory.EnumerateFiles(folder, "log-*.jsonl.gz*").Select(f => Path.GetFileName(f)).Where(f => !known.Contains(f)).Order(StringComparer.Ordinal)];
    }

    public void Write(StoredRow row)
    {
        _line.SetLength(0);
        using (var json = new Utf8JsonWriter(_line, Plain))
            row.Write(json);
        _line.WriteByte((byte)'\n');
        var line = _line.GetBuffer().AsSpan(0, (int)_line.Length);
        _packed.Write(line);
        _written.AppendData(line);
        _events++;
    }

    /// <summary>Brings it onto the disk, reads it again, and gives it its name.</summary>
    /// <returns>Its SHA-256, in hexadecimal.</returns>
    /// <exception cref="IOException">It cannot be written, is not read as it was written, or another has its name.</exception>
    public async Task<string> EndAsync(CancellationToken cancellationToken)
    {
        await _packed.DisposeAsync();
        _file.Flush(flushToDisk: true);
        await _file.DisposeAsync();
        var written = Convert.ToHexStringLower(_written.GetHashAndReset());
        if (await ContentAsync(Partial, cancellationToken) != (_events, written))
            throw new IOException($"{Partial} does not hold what was written into it: nothing was archived; look after the disk.");
        if (!File.Exists(_path))
            File.Move(Partial, _path);
        // A run before was ended after it had written the file.
        else if (await ContentAsync(_path, cancellationToken) == (_events, written))
            File.Delete(Partial);
        else
            throw new IOException($"{_path} is there already and holds something else: nothing was archived; move that file away, or archive into another folder.");
        _isWhole = true;
        Durable.Flush(Path.GetDirectoryName(_path)!);
        return await Sha256Async(_path, cancellationToken);
    }

    /// <summary>Writes beside the file what it is.</summary>
    public static void Describe(string folder, Horizon file)
    {
        var path = Path.Combine(folder, Path.ChangeExtension(Path.GetFileNameWithoutExtension(file.File), ".manifest.json"));
        using (var manifest = new FileStream(path, FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(
                manifest, new { file.File, file.First, Last = file.Position, file.Events, file.At, file.Hash, file.Sha256 }, Readable);
            manifest.Flush(flushToDisk: true);
        }
        Durable.Flush(folder);
    }

    /// <summary>The rows of a file, in order; they end where it cannot be read on.</summary>
    /// <param name="findings">Takes what is wrong with the file.</param>
    public static async IAsyncEnumerable<StoredRow> ReadAsync(string folder, Horizon file, List<Finding> findings, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var path = Path.Combine(folder, file.File);
        if (!File.Exists(path))
        {
            findings.Add(new(file.First, null, $"{file.File}, which history from event {file.First} to {file.Position} was archived into, is not in {folder}"));
            yield break;
        }
        if (await Sha256Async(path, cancellationToken) != file.Sha256)
            findings.Add(new(file.First, null, $"{file.File} is not the file that was written: its SHA-256 is another"));
        await using var packed = File.OpenRead(path);
        await using var unpacked = new GZipStream(packed, CompressionMode.Decompress);
        using var lines = new StreamReader(unpacked, Encoding.UTF8);
        for (var number = 1L; ; number++)
        {
            StoredRow row;
            try
            {
                if (await lines.ReadLineAsync(cancellationToken) is not { } line)
                    yield break;
                row = StoredRow.Read(line);
            }
            catch (Exception e) when (e is FormatException or InvalidDataException or IOException)
            {
                findings.Add(new(null, null, $"{file.File} cannot be read from line {number} on: {e.Message}"));
                yield break;
            }
            yield return row;
        }
    }

    public void Dispose()
    {
        if (!_isWhole)
        {
            // What is half written is of no use, and closing it would try to write the rest.
            _file.Dispose();
            File.Delete(Partial);
        }
        _line.Dispose();
        _written.Dispose();
    }

    private static async Task<(long Events, string Sha256)> ContentAsync(string path, CancellationToken cancellationToken)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var (buffer, lines) = (new byte[1 << 16], 0L);
        try
        {
            await using var packed = File.OpenRead(path);
            await using var unpacked = new GZipStream(packed, CompressionMode.Decompress);
            while (await unpacked.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                sha.AppendData(buffer, 0, read);
                lines += buffer.AsSpan(0, read).Count((byte)'\n');
            }
        }
        catch (InvalidDataException)
        {
            return (-1, "");
        }
        return (lines, Convert.ToHexStringLower(sha.GetHashAndReset()));
    }

    private static async Task<string> Sha256Async(string path, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
    }
}
