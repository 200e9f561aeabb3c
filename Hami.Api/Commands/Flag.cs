using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;

namespace Hami.Api.Commands;

/// <summary>Makes the kinds of flags that several groups have.</summary>
internal static class Flag
{
    public static Option<IPEndPoint?> Address(string name, string description, params string[] alsoCalled) => new(name, alsoCalled)
    {
        Description = description,
        CustomParser = result =>
        {
            if (GoValues.TryAddress(result.Tokens[0].Value, out var address))
                return address;
            result.AddError($"{name} {result.Tokens[0].Value} is not an address and port such as 127.0.0.1:8080.");
            return null;
        },
    };

    /// <summary>A duration as Go writes it, such as 1m30s.</summary>
    /// <param name="mayBeZero">Whether 0 has a meaning.</param>
    public static Option<TimeSpan> Duration(string name, TimeSpan otherwise, string description, bool mayBeZero = true) => new(name)
    {
        Description = description,
        DefaultValueFactory = _ => otherwise,
        CustomParser = result =>
        {
            if (GoValues.TryDuration(result.Tokens[0].Value, out var duration) && (mayBeZero || duration > TimeSpan.Zero))
                return duration;
            result.AddError($"{name} {result.Tokens[0].Value} is not a duration such as 28s, 5m or 1h30m.");
            return otherwise;
        },
    };

    public static Option<bool> Switch(string name, bool otherwise, string description) => new(name)
    {
        Description = description,
        DefaultValueFactory = _ => otherwise,
    };

    public static Option<double> Number(string name, double otherwise, double least, double most, string description) => new(name)
    {
        Description = description,
        DefaultValueFactory = _ => otherwise,
        CustomParser = result =>
        {
            if (double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
                return number;
            result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} {result.Tokens[0].Value} is not a number from {least} to {most}."));
            return otherwise;
        },
    };

    /// <summary>The text given, for validators: asking for a value that could not be parsed, or lacks its argument, throws.</summary>
    public static string? TextOf(this CommandResult result, Option option) => result.GetResult(option)?.Tokens is [var first, ..] ? first.Value : null;

    public static Option<string> OneOf(string name, string otherwise, params string[] words)
    {
        var option = new Option<string>(name) { Description = $"{string.Join(" or ", words)}.", DefaultValueFactory = _ => otherwise };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var other }] && !words.Contains(other, StringComparer.Ordinal))
                result.AddError($"{name} {other} is neither {string.Join(" nor ", words)}.");
        });
        return option;
    }
}
