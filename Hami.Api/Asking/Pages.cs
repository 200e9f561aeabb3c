namespace Hami.Api.Asking;

/// <summary>Sizes of pages.</summary>
internal static class Pages
{
    /// <summary>Rows of a page whose size is not asked for.</summary>
    public const int Usual = 50;
}
