using System.Globalization;
using CsCheck;
using Hami.Api.Plumbing.Kubernetes;
using k8s.Models;

namespace Hami.Tests.Admitting;

public sealed class ReadingQuantities
{
    private static readonly string[] Suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E2", "K", "mi", "x", " "];

    [Fact]
    public void The_short_way_and_the_librarys_agree_on_every_quantity() => Gen.Select(Gen.Long[0, 99_999_999_999_999_999], Gen.Int[1, 17], Gen.Int[0, Suffixes.Length - 1], Gen.Bool)
        .Sample((number, digits, suffix, isNegative) =>
        {
            var text = number.ToString(CultureInfo.InvariantCulture);
            text = $"{(isNegative ? "-" : "")}{text[..Math.Min(digits, text.Length)]}{Suffixes[suffix]}";
            Assert.Equal(ByLibrary(text), Quantity.TryParse(text, out var value) ? value : null);
        });

    [Theory]
    [InlineData("")]
    [InlineData("Gi")]
    [InlineData("half")]
    [InlineData("1.2.3")]
    [InlineData("99999999999999999999999999999999999999")]
    [InlineData("1e999999999")]
    [InlineData("1E-999999999")]
    [InlineData("1e99999999999999999999")]
    [InlineData("1e5x")]
    public void What_is_none_is_said_to_be_none(string text) => Assert.False(Quantity.TryParse(text, out _));

    [Fact]
    public void A_number_of_millions_of_digits_costs_nothing() => Assert.False(Quantity.TryParse(new('9', 7_000_000), out _));

    private static decimal? ByLibrary(string text)
    {
        try
        {
            return new ResourceQuantity(text).ToDecimal();
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            return null;
        }
    }
}
