namespace Hami.Api.Observing;

/// <summary>The last minutes of one series, packed: 1,800 bytes for a card, 900 for a share, and 150 for the rest of it.</summary>
/// <remarks>A place is of a five-second cell; which cell it holds its node knows, as all series of a node are told of together.</remarks>
internal sealed class TelemetryRing(bool isCard)
{
    private const byte NoByte = byte.MaxValue;
    private const byte NotBusy = NoByte - 1; // told of, and how busy it was is not known
    private const uint NoNumber = uint.MaxValue;
    private const int Coldest = -50; // so that a temperature fits in a byte

    private readonly byte[] _busy = Filled(NoByte);
    private readonly uint[] _memoryKiB = Filled(NoNumber);
    private readonly byte[] _temperature = isCard ? Filled(NoByte) : [];
    private readonly uint[] _milliwatt = isCard ? Filled(NoNumber) : [];

    public void Set(int place, in Measured value)
    {
        _busy[place] = value.Busy is { } busy ? (byte)busy : NotBusy;
        _memoryKiB[place] = value.MemoryBytes is { } bytes ? (uint)Math.Min(bytes >> 10, NoNumber - 1) : NoNumber;
        if (!isCard)
            return;
        _temperature[place] = value.TemperatureCelsius is { } celsius ? (byte)(celsius - Coldest) : NoByte;
        _milliwatt[place] = value.PowerMilliwatt is { } power ? (uint)power : NoNumber;
    }

    public void Clear(int place) => _busy[place] = NoByte;

    /// <summary>Null where nothing was told.</summary>
    public Measured? Get(int place) => _busy[place] is NoByte ? null : new(
        _busy[place] is NotBusy ? null : _busy[place],
        _memoryKiB[place] is NoNumber ? null : (long)_memoryKiB[place] << 10,
        TemperatureCelsius: !isCard || _temperature[place] is NoByte ? null : _temperature[place] + Coldest,
        PowerMilliwatt: !isCard || _milliwatt[place] is NoNumber ? null : _milliwatt[place]);

    private static T[] Filled<T>(T value)
    {
        var places = new T[TelemetryLimits.Cells];
        Array.Fill(places, value);
        return places;
    }
}
